import type { Weights } from "@clara/core";
import { createEncoder } from "@clara/engine";

// A toy of one layer, with sines for weights; a trained model's come from a file, under the same names.
const shapes: Record<string, number[]> = {
  "embeddings.word_embeddings.weight": [10, 8],
  "embeddings.position_embeddings.weight": [16, 8],
  "embeddings.token_type_embeddings.weight": [2, 8],
  "embeddings.LayerNorm": [8],
  "layer.0.attention.self.query": [8, 8],
  "layer.0.attention.self.key": [8, 8],
  "layer.0.attention.self.value": [8, 8],
  "layer.0.attention.output.dense": [8, 8],
  "layer.0.attention.output.LayerNorm": [8],
  "layer.0.intermediate.dense": [32, 8],
  "layer.0.output.dense": [8, 32],
  "layer.0.output.LayerNorm": [8],
};
const sines = (shape: number[]) => ({
  shape,
  data: Float32Array.from({ length: shape.reduce((a, b) => a * b) }, (_, i) => Math.sin(i + 1)),
});
const weights: Weights = Object.fromEntries(
  Object.entries(shapes).flatMap(([name, shape]) =>
    name.endsWith(".weight")
      ? [[name, sines(shape)]]
      : [
          [`${name}.weight`, sines(shape)],
          [`${name}.bias`, sines([shape[0]!])],
        ],
  ),
);

const encoder = await createEncoder({
  weights,
  layers: 1,
  heads: 2,
  prefix: { embeddings: "embeddings", layer: "layer" },
});
const states = await encoder.run({
  ids: Int32Array.of(1, 2, 3, 4, 5, 0),
  types: new Int32Array(6),
  mask: Int32Array.of(1, 1, 1, 1, 1, 0), // the second sequence is one token shorter
  shape: [2, 3],
});
console.log(`${states.length / encoder.width} states of width ${encoder.width}`);
await encoder.dispose();
