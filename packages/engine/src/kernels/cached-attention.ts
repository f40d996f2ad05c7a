import { type Size, sum } from "../size.ts";
import type { Emitter, Kernel, Operand } from "./kernel.ts";

// Letters: B batch, T new tokens, C slots, H heads, G key heads, R = H/G · T queries of one key head, K head width.

/**
 * Attention of new tokens over a cache and themselves. ONNX Runtime's GroupQueryAttention would do it in one node, but it
 * returns the whole cache, and onnxruntime-node copies whatever is returned; also it refuses several sequences with several
 * new tokens each. So the scores are computed in two parts, side by side: nothing of the cache's size is ever written.
 */
export const cachedAttention: Readonly<Record<string, Kernel>> = {
  ClaraCachedAttention: {
    infer: ({ q }) => [q!],
    lower(emit, { q, k, v, keys, values, lengths }, { heads, keyHeads, window }, [output]) {
      const [B, T, D] = q!.shape as [Size, Size, number];
      const K = D / heads;
      const split = (x: Operand, heads: number): string =>
        emit.node("Transpose", [emit.node("Reshape", [emit.full(x), emit.ints([B, T, heads, K])])], {
          perm: [0, 2, 1, 3],
        });
      // Queries of heads that share keys lie behind each other: one product serves them all, and no key is repeated.
      const grouped = heads !== keyHeads;
      const regroup = (x: string, sizes: readonly Size[]): string =>
        grouped ? emit.node("Reshape", [x, emit.ints(sizes)]) : x;
      const queries = regroup(split(q!, heads), [B, keyHeads, -1, K]); // [B, G, R, K]
      const scores = (keys: string): string =>
        emit.node("com.microsoft.FusedMatMul", [queries, keys], { transB: 1, alpha: { float: 1 / Math.sqrt(K) } });
      const C = keys!.shape[2]!;
      const both = emit.node("Concat", [scores(emit.full(keys!)), scores(split(k!, keyHeads))], { axis: 3 });
      const masked = emit.node("Add", [regroup(both, [B, heads, T, -1]), penalty(emit, lengths!, C, T, window)]);
      const weights = regroup(emit.node("Softmax", [masked], { axis: 3 }), [B, keyHeads, -1, sum([C, T])]);
      const [old, fresh] = emit.nodes("Split", [weights, emit.ints([C, T])], 2, { axis: 3 });
      const mixed = emit.node("Add", [
        emit.node("MatMul", [old!, emit.full(values!)]),
        emit.node("MatMul", [fresh!, split(v!, keyHeads)]),
      ]); // [B, G, R, K]
      const byHead = regroup(mixed, [B, heads, T, K]);
      const joined = emit.node("Transpose", [byHead], { perm: [0, 2, 1, 3] });
      return [{ ...output!, name: emit.node("Reshape", [joined, emit.ints([B, T, D])]) }];
    },
  },
};

/** 0 for what a token sees, -1e9 for the rest: [B, 1, T, C + T]. The same nodes in every layer, so written once. */
function penalty(emit: Emitter, lengths: Operand, C: Size, T: Size, window: number): string {
  const [zero, one] = [emit.scalar("int32", 0), emit.scalar("int32", 1)];
  const unsqueeze = (x: string, ...axes: number[]): string => emit.node("Unsqueeze", [x, emit.ints(axes)]);
  const range = (size: Size): string => emit.node("Range", [zero, emit.scalar("int32", size), one]);
  const token = unsqueeze(range(T), 1); // [T, 1]
  const first = window > 0 ? emit.node("Sub", [token, emit.scalar("int32", window - 1)]) : undefined;
  const seen = (at: string, before: string): string => {
    const both = first ? emit.node("And", [before, emit.node("GreaterOrEqual", [at, first])]) : before;
    return emit.node("Where", [both, emit.scalar("float32", 0), emit.scalar("float32", -1e9)]);
  };
  // Slots are counted from the first new token: the filled ones are below 0.
  const slot = emit.node("Sub", [range(C), unsqueeze(emit.full(lengths), 1, 2, 3)]); // [B, 1, 1, C]
  const B = lengths.shape[0]!;
  const old = emit.node("Expand", [seen(slot, emit.node("Less", [slot, zero])), emit.ints([B, 1, T, C])]);
  const fresh = emit.node("Expand", [
    seen(range(T), emit.node("LessOrEqual", [range(T), token])),
    emit.ints([B, 1, T, T]),
  ]);
  return emit.node("Concat", [old, fresh], { axis: 3 });
}
