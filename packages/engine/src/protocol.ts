import type { Stack } from "./stack.ts";

/** What the main thread asks of the worker. Requests are answered one by one, in order. */
export type Request =
  | { readonly kind: "create"; readonly stack: Stack; readonly threads: number }
  | {
      readonly kind: "run";
      /** [B, T, D] */
      readonly words: Float32Array;
      /** [B, T] */
      readonly types: Int32Array;
      /** [B, T] */
      readonly mask: Int32Array;
      readonly shape: readonly [B: number, T: number, D: number];
    };

/** The worker's answer: a value, or why there is none. */
export type Reply = { readonly value: unknown } | { readonly failure: string };
