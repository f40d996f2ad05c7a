import type { Attrs, Emitter, Kernel, Operand } from "./kernel.ts";

/**
 * The operations of `@clara/tensor` for which ONNX Runtime has one node: it does not find most of these in a composed
 * graph by itself.
 *
 * @see https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md
 */
export const fused: Readonly<Record<string, Kernel>> = {
  ClaraLayerNorm: {
    infer({ x }) {
      const row = { shape: [...x!.shape.slice(0, -1), 1], dtype: "float32" as const };
      return [x!, row, row];
    },
    lower(emit, { x, gamma, beta }, { epsilon }, outputs) {
      const names = emit.nodes("LayerNormalization", [emit.full(x!), emit.full(gamma!), emit.full(beta!)], 3, {
        axis: -1,
        epsilon: { float: epsilon },
      });
      return outputs.map((output, i) => ({ ...output, name: names[i]! }));
    },
  },
  ClaraRmsNorm: {
    infer: ({ x }) => [x!, { shape: [...x!.shape.slice(0, -1), 1], dtype: "float32" }],
    lower(emit, { x, gamma }, { epsilon }, outputs) {
      const names = emit.nodes("SimplifiedLayerNormalization", [emit.full(x!), emit.full(gamma!)], 2, {
        axis: -1,
        epsilon: { float: epsilon },
      });
      return outputs.map((output, i) => ({ ...output, name: names[i]! }));
    },
  },
  ClaraGelu: {
    infer: ({ x }) => [x!],
    lower: (emit, { x }, _, [output]) => [{ ...output!, name: emit.node("com.microsoft.Gelu", [emit.full(x!)]) }],
  },
  ClaraGeluGrad: {
    infer: ({ x }) => [x!],
    // dy/2 · (1 + erf(u) + 2/√π · u/exp(u²)), u = x/√2; where exp overflows the quotient is 0, as it should be
    lower(emit, { x, dy }, _, [output]) {
      const c = (value: number): string => emit.scalar("float32", value);
      const u = emit.node("Mul", [emit.full(x!), c(Math.SQRT1_2)]);
      const bell = emit.node("Div", [u, emit.node("Exp", [emit.node("Mul", [u, u])])]);
      const sum = emit.node("Add", [emit.node("Erf", [u]), emit.node("Mul", [bell, c(2 / Math.sqrt(Math.PI))])]);
      const half = emit.node("Mul", [emit.full(dy!), c(0.5)]);
      return [{ ...output!, name: emit.node("Add", [emit.node("Mul", [sum, half]), half]) }];
    },
  },
  ClaraAttention: {
    infer: ({ q }) => [q!],
    lower(emit, { q, k, v, mask }, { heads, keyHeads }, [output]) {
      const K = (q!.shape[2] as number) / heads;
      const [key, value] = [k!, v!].map((x) => spread(emit, x, heads, keyHeads)) as [string, string];
      const attend = (...inputs: string[]): Operand[] => {
        const attributes = { num_heads: heads, scale: { float: 1 / Math.sqrt(K) } };
        return [{ ...output!, name: emit.node("com.microsoft.MultiHeadAttention", inputs, attributes) }];
      };
      if (!mask) return attend(emit.full(q!), key, value);
      // A name left empty is an input left out: bias of the projections, mask of the keys.
      if (mask.shape.length === 3) return attend(emit.full(q!), key, value, "", "", penalty(emit, mask));
      const [wideQuery, wideKey] = maskedByColumn(emit, q!, { ...k!, name: key }, mask, { heads, K });
      return attend(wideQuery, wideKey, value);
    },
  },
  ClaraDropoutMask: {
    infer: (_, { shape }) => [{ shape, dtype: "float32" }],
    lower(emit, { step }, { rate, seed }, [output]) {
      // Each element's number and the step's are the 8 bytes that are hashed.
      const count = emit.node("ReduceProd", [emit.ints(output!.shape)], { keepdims: 0 });
      const places = emit.node("Range", [emit.scalar("int64", 0), count, emit.scalar("int64", 1)]);
      const at = emit.cast(emit.full(step!), "int64");
      const offset = emit.node("Mul", [at, emit.scalar("int64", 2 ** 32)]);
      const hash = emit.node("com.microsoft.MurmurHash3", [emit.node("Add", [places, offset])], { seed, positive: 1 });
      const drawn = emit.cast(hash, "int64");
      const kept = emit.node("GreaterOrEqual", [drawn, emit.scalar("int64", Math.ceil(rate * 2 ** 32))]);
      const scaled = emit.node("Where", [kept, emit.scalar("float32", 1 / (1 - rate)), emit.scalar("float32", 0)]);
      return [{ ...output!, name: emit.node("Reshape", [scaled, emit.ints(output!.shape)]) }];
    },
  },
  ClaraMatMulNBits: {
    infer: ({ x }, { N }) => [{ shape: [...x!.shape.slice(0, -1), N], dtype: "float32" }],
    bytes: packedShape,
    lower(emit, { x, packed, scales }, attrs, [output]) {
      const { K, N, bits, blockSize } = attrs;
      const inputs = [emit.full(x!), emit.bytes(packed!, packedShape(attrs).packed), emit.full(scales!)];
      const name = emit.node("com.microsoft.MatMulNBits", inputs, {
        K,
        N,
        bits,
        block_size: blockSize,
        ...(emit.options.roundInputs && { accuracy_level: 4 }),
      });
      return [{ ...output!, name }];
    },
  },
  ClaraDequantizeNBits: {
    infer: (_, { N, K }) => [{ shape: [N, K], dtype: "float32" }],
    bytes: packedShape,
    // To take every row of a quantised table is to take it whole.
    lower(emit, { packed, scales }, attrs, [output]) {
      const { K, N, bits, blockSize } = attrs;
      const rows = emit.node("Range", [emit.scalar("int64", 0), emit.scalar("int64", N), emit.scalar("int64", 1)]);
      const perBlock = emit.node("Reshape", [emit.full(scales!), emit.ints([N, K / blockSize, 1])]);
      const inputs = [emit.bytes(packed!, packedShape(attrs).packed), rows, perBlock];
      const name = emit.node("com.microsoft.GatherBlockQuantized", inputs, {
        bits,
        block_size: blockSize,
        gather_axis: 0,
        quantize_axis: 2,
      });
      return [{ ...output!, name: emit.node("Reshape", [name, emit.ints([N, K])]) }];
    },
  },
};

/** Two nibbles a byte, the first column in the lower one: as ONNX Runtime has it. */
function packedShape({ K, N, bits, blockSize }: Attrs): { packed: number[] } {
  return { packed: [N, K / blockSize, (blockSize * bits) / 8] };
}

/**
 * Queries and keys with one more column a head: 1 beside the queries, the mask's penalty beside the keys. Their product
 * then holds the mask, and the node is spared an input that keeps it from its fast form (a third less time).
 */
function maskedByColumn(
  emit: Emitter,
  q: Operand,
  k: Operand,
  mask: Operand,
  { heads, K }: { heads: number; K: number },
): [string, string] {
  const split = (x: Operand): string =>
    emit.node("Reshape", [emit.full(x), emit.ints([x.shape[0]!, x.shape[1]!, heads, K])]);
  const join = (x: string, { shape }: Operand): string =>
    emit.node("Reshape", [x, emit.ints([shape[0]!, shape[1]!, heads * (K + 1)])]);
  const one = emit.scalar("float32", 1);
  // The node scales the product of the columns too.
  const cost = emit.node("Mul", [emit.node("Sub", [emit.full(mask), one]), emit.scalar("float32", 1e9 * Math.sqrt(K))]);
  const column = emit.node("Expand", [
    emit.node("Unsqueeze", [cost, emit.ints([2, 3])]),
    emit.ints([k.shape[0]!, k.shape[1]!, heads, 1]),
  ]);
  const wideQuery = emit.node("Pad", [split(q), emit.ints([0, 0, 0, 0, 0, 0, 0, 1]), one]);
  const wideKey = emit.node("Concat", [split(k), column], { axis: 3 });
  return [join(wideQuery, q), join(wideKey, k)];
}

/** 0 where the mask [B, T, S] keeps, -1e9 where it drops, as [B, 1, T, S]. */
function penalty(emit: Emitter, mask: Operand): string {
  const one = emit.scalar("float32", 1);
  const bias = emit.node("Mul", [emit.node("Sub", [emit.full(mask), one]), emit.scalar("float32", 1e9)]);
  return emit.node("Unsqueeze", [bias, emit.ints([1])]);
}

/** [B, S, keyHeads·K] to [B, S, heads·K]: each key head once for every query head that it serves. */
function spread(emit: Emitter, x: Operand, heads: number, keyHeads: number): string {
  if (heads === keyHeads) return emit.full(x);
  const width = (x.shape[2] as number) / keyHeads;
  const [B, S] = [x.shape[0]!, x.shape[1]!];
  const split = emit.node("Reshape", [emit.full(x), emit.ints([B, S, keyHeads, 1, width])]);
  const repeated = emit.node("Expand", [split, emit.ints([B, S, keyHeads, heads / keyHeads, width])]);
  return emit.node("Reshape", [repeated, emit.ints([B, S, heads * width])]);
}
