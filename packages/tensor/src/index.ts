export { type AttentionOptions, attention } from "./attention.ts";
export { dims, type Sizes } from "./dims.ts";
export { gelu } from "./gelu.ts";
export { noGrad, stopGradient } from "./gradients.ts";
export { layerNorm } from "./layer-norm.ts";
export { type LinearOptions, type Lora, linear } from "./linear.ts";
export { tf } from "./tf.ts";
