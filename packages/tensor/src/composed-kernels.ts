import { composedAttention } from "./attention-kernel.ts";
import { composedCachedAttention } from "./cached-attention.ts";
import { composedDropoutMask } from "./dropout.ts";
import { composedGelu, composedGeluGrad } from "./gelu.ts";
import { composedLayerNorm } from "./layer-norm.ts";
import { composedDequantizeNBits, composedMatMulNBits } from "./mat-mul-n-bits.ts";
import { composedRmsNorm } from "./rms-norm.ts";
import type { tf } from "./tf.ts";

/** What a kernel computes, in TensorFlow.js's own operations. Call it inside `tf.tidy`. */
export type ComposedKernel = (inputs: tf.NamedTensorMap, attrs: tf.NamedAttrMap) => tf.Tensor | tf.Tensor[];

/**
 * The kernels that this package runs where the current backend has them, each with the form it takes elsewhere: what a
 * backend may register, under which name, with which inputs, attributes and outputs. Also runs a recorded kernel call on a
 * backend that lacks it.
 */
export const composedKernels: Readonly<Record<string, ComposedKernel>> = {
  ClaraAttention: composedAttention,
  ClaraCachedAttention: composedCachedAttention,
  ClaraDequantizeNBits: composedDequantizeNBits,
  ClaraDropoutMask: composedDropoutMask,
  ClaraGelu: composedGelu,
  ClaraGeluGrad: composedGeluGrad,
  ClaraLayerNorm: composedLayerNorm,
  ClaraMatMulNBits: composedMatMulNBits,
  ClaraRmsNorm: composedRmsNorm,
} as Readonly<Record<string, unknown>> as Readonly<Record<string, ComposedKernel>>;
