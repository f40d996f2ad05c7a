import { cachedAttention } from "./cached-attention.ts";
import { create } from "./create.ts";
import { elementwise } from "./elementwise.ts";
import { fused } from "./fused.ts";
import { gather } from "./gather.ts";
import type { Kernel } from "./kernel.ts";
import { matmul } from "./matmul.ts";
import { reduce } from "./reduce.ts";
import { shape } from "./shape.ts";
import { slice } from "./slice.ts";

/** Every kernel that can be compiled, by TensorFlow.js's name. */
export const kernels: Readonly<Record<string, Kernel>> = {
  ...elementwise,
  ...reduce,
  ...shape,
  ...slice,
  ...create,
  ...gather,
  ...matmul,
  ...fused,
  ...cachedAttention,
};
