import { createGraphWriter, type GraphWriter, type OnnxModel } from "./onnx.ts";
import type { Dense, Layer, Stack } from "./stack.ts";

const microsoft = "com.microsoft";

/**
 * A BERT encoder as one ONNX graph, for every batch size and length.
 *
 * Inputs: `words` [B, T, D] word embeddings, `types` [B, T] and `mask` [B, T] int32. Output: `states` [B, T, D].
 * Attention, SkipLayerNormalization and BiasGelu are ONNX Runtime's fused operators: it does not find these itself
 * in a composed graph.
 *
 * @see Devlin et al. 2019, "BERT". https://arxiv.org/abs/1810.04805
 * @see https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md
 */
export function buildGraph(stack: Stack): OnnxModel {
  const { width: D } = stack;
  const graph = createGraphWriter();
  let states = embed(graph, stack); // [B, T, D]
  stack.layers.forEach((layer, i) => {
    states = encoderLayer(graph, stack, layer, states, i === stack.layers.length - 1 ? "states" : `layer.${i}`);
  });
  return graph.finish(
    [
      { name: "words", type: "float32", shape: ["B", "T", D] },
      { name: "types", type: "int32", shape: ["B", "T"] },
      { name: "mask", type: "int32", shape: ["B", "T"] },
    ],
    [{ name: "states", type: "float32", shape: ["B", "T", D] }],
  );
}

/** @returns [B, T, D] word + token type + position embeddings, normalised. */
function embed(graph: GraphWriter, stack: Stack): string {
  const { width: D, positions, kinds } = stack;
  const kindTable = graph.constant("kinds", [kinds, D], stack.kindTable);
  const positionTable = graph.constant("positions", [positions, D], stack.positionTable);
  const zero = graph.constant("zero", [1], BigInt64Array.of(0n));
  const T = graph.node("Shape", ["types"], "T", { start: 1, end: 2 }); // [1]
  const place = graph.node("Slice", [positionTable, zero, T], "place"); // [T, D]
  const kind = graph.node("Gather", [kindTable, "types"], "kind"); // [B, T, D]
  const sum = graph.node("Add", ["words", kind], "words+kind");
  const placed = graph.node("Add", [sum, place], "words+kind+place");
  const [weight, bias] = [
    graph.constant("norm.weight", [D], stack.norm.weight),
    graph.constant("norm.bias", [D], stack.norm.bias),
  ];
  return graph.node("LayerNormalization", [placed, weight, bias], "embedded", {
    epsilon: { float: stack.layerNormEps },
  });
}

/** @param x name of the states [B, T, D]. @returns `output`, the layer's states [B, T, D]. */
function encoderLayer(graph: GraphWriter, stack: Stack, layer: Layer, x: string, output: string): string {
  const { width: D, heads } = stack;
  const { inner: F } = layer;
  const name = (part: string): string => `${output}/${part}`;
  const matrix = (part: string, dense: Dense, O: number, I: number): string =>
    graph.constant(name(part), [I, O], transpose(dense.weight, O, I));
  const addNorm = (y: string, skip: string, norm: Dense, bias: Float32Array, to: string): string =>
    graph.node(
      "SkipLayerNormalization",
      [
        y,
        skip,
        graph.constant(`${to}/norm.weight`, [D], norm.weight),
        graph.constant(`${to}/norm.bias`, [D], norm.bias),
        graph.constant(`${to}/bias`, [D], bias),
      ],
      to,
      { epsilon: { float: stack.layerNormEps } },
      microsoft,
    );

  const { weight, bias } = queryKeyValue(layer, D);
  const attended = graph.node(
    "Attention",
    [x, graph.constant(name("qkv"), [D, 3 * D], weight), graph.constant(name("qkv.bias"), [3 * D], bias), "mask"],
    name("attended"), // [B, T, D]
    { num_heads: heads },
    microsoft,
  );
  const mixed = graph.node("MatMul", [attended, matrix("out", layer.attended, D, D)], name("mixed")); // [B, T, D]
  const middle = addNorm(mixed, x, layer.attentionNorm, layer.attended.bias, name("middle")); // [B, T, D]

  const up = graph.node("MatMul", [middle, matrix("up", layer.up, F, D)], name("raised")); // [B, T, F]
  const active = graph.node(
    "BiasGelu",
    [up, graph.constant(name("up.bias"), [F], layer.up.bias)],
    name("active"), // [B, T, F], the exact GELU, with erf
    {},
    microsoft,
  );
  const down = graph.node("MatMul", [active, matrix("down", layer.down, D, F)], name("lowered")); // [B, T, D]
  return addNorm(down, middle, layer.norm, layer.down.bias, output);
}

/** The three projections side by side: weight [D, 3D], bias [3D]. */
function queryKeyValue({ query, key, value }: Layer, D: number): { weight: Float32Array; bias: Float32Array } {
  const weight = new Float32Array(D * 3 * D);
  const bias = new Float32Array(3 * D);
  [query, key, value].forEach((dense, part) => {
    bias.set(dense.bias, part * D);
    for (let o = 0; o < D; o++) {
      for (let i = 0; i < D; i++) weight[i * 3 * D + part * D + o] = dense.weight[o * D + i]!;
    }
  });
  return { weight, bias };
}

/** @param weight [O, I] @returns [I, O] */
function transpose(weight: Float32Array, O: number, I: number): Float32Array {
  const out = new Float32Array(O * I);
  for (let o = 0; o < O; o++) {
    for (let i = 0; i < I; i++) out[i * O + o] = weight[o * I + i]!;
  }
  return out;
}
