import { type Emitter, type Kernel, onnxTypes, type Operand } from "./kernel.ts";

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
    // dy/2 · (1 + erf(u) + 2/√π · u · exp(-u²)), u = x/√2
    lower(emit, { x, dy }, _, [output]) {
      const c = (value: number): string => emit.scalar("float32", value);
      const u = emit.node("Mul", [emit.full(x!), c(Math.SQRT1_2)]);
      const bell = emit.node("Exp", [emit.node("Mul", [u, emit.node("Neg", [u])])]);
      const slope = emit.node("Mul", [emit.node("Mul", [u, c(2 / Math.sqrt(Math.PI))]), bell]);
      const sum = emit.node("Add", [emit.node("Add", [emit.node("Erf", [u]), slope]), c(1)]);
      return [{ ...output!, name: emit.node("Mul", [emit.node("Mul", [sum, c(0.5)]), emit.full(dy!)]) }];
    },
  },
  ClaraAttention: {
    infer: ({ q }) => [q!],
    lower(emit, { q, k, v, mask }, { heads, keyHeads }, [output]) {
      const [key, value] = [k!, v!].map((x) => spread(emit, x, heads, keyHeads)) as [string, string];
      // After the values: bias of the projections, mask of the keys, bias of the scores; a name left empty is left out.
      const masks = !mask ? [] : mask.shape.length === 2 ? ["", keyMask(emit, mask)] : ["", "", penalty(emit, mask)];
      const name = emit.node("com.microsoft.MultiHeadAttention", [emit.full(q!), key, value, ...masks], {
        num_heads: heads,
        mask_filter_value: { float: -1e9 },
      });
      return [{ ...output!, name }];
    },
  },
  ClaraDropoutMask: {
    infer: (_, { shape }) => [{ shape, dtype: "float32" }],
    lower(emit, { step }, { rate, seed }, [output]) {
      // Each element's number and the step's are the 8 bytes that are hashed.
      const count = emit.node("ReduceProd", [emit.ints(output!.shape)], { keepdims: 0 });
      const places = emit.node("Range", [emit.scalar("int64", 0), count, emit.scalar("int64", 1)]);
      const at = emit.node("Cast", [emit.full(step!)], { to: onnxTypes.int64 });
      const offset = emit.node("Mul", [at, emit.scalar("int64", 2 ** 32)]);
      const hash = emit.node("com.microsoft.MurmurHash3", [emit.node("Add", [places, offset])], { seed, positive: 1 });
      const drawn = emit.node("Cast", [emit.node("Cast", [hash], { to: 13 })], { to: onnxTypes.int64 });
      const kept = emit.node("GreaterOrEqual", [drawn, emit.scalar("int64", Math.ceil(rate * 2 ** 32))]);
      const scaled = emit.node("Where", [
        kept,
        emit.scalar("float32", 1 / (1 - rate)),
        emit.scalar("float32", 0),
      ]);
      return [{ ...output!, name: emit.node("Reshape", [scaled, emit.ints(output!.shape)]) }];
    },
  },
};

function keyMask(emit: Emitter, mask: Operand): string {
  return emit.node("Cast", [emit.full(mask)], { to: onnxTypes.int32 });
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
