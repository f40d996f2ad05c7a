import { describe, expect, it } from "vitest";
import { bertLayerArrays, bertLayerWeights } from "./bert-arrays.ts";
import { randomWeights, tiny } from "./tiny-bert.testing.ts";

const { layers, D, F } = tiny;
const weights = randomWeights();
const arrays = () => bertLayerArrays(weights, { layers, width: D });
const ofLayers = Object.fromEntries(Object.entries(weights).filter(([name]) => name.startsWith("encoder.layer.")));

describe("bertLayerWeights", () => {
  it("gives back what bertLayerArrays was given, and the other way round", () => {
    expect(bertLayerWeights(arrays())).toEqual(ofLayers);
    expect(Object.keys(ofLayers)).toHaveLength(layers * 16);
    expect(bertLayerArrays(bertLayerWeights(arrays()), { layers, width: D })).toEqual(arrays());
  });

  it("turns linear weights from [I, O] to [O, I], and those alone", () => {
    const name = "layers.10.feedForward.in";
    const turned = bertLayerWeights({
      [`${name}.weight`]: { shape: [2, 3], data: Float32Array.of(1, 2, 3, 4, 5, 6) },
      [`${name}.bias`]: { shape: [3], data: Float32Array.of(7, 8, 9) },
    });
    expect(turned).toEqual({
      "encoder.layer.10.intermediate.dense.weight": { shape: [3, 2], data: Float32Array.of(1, 4, 2, 5, 3, 6) },
      "encoder.layer.10.intermediate.dense.bias": { shape: [3], data: Float32Array.of(7, 8, 9) },
    });
    expect(bertLayerWeights(arrays())["encoder.layer.1.output.dense.weight"]!.shape).toEqual([D, F]);
  });

  it("names the layers as the prefix says", () => {
    const named = bertLayerWeights(arrays(), { prefix: "memory" });
    expect(Object.keys(named).every((name) => name.startsWith("memory.layer."))).toBe(true);
    expect(bertLayerArrays(named, { layers, width: D, prefix: "memory" })).toEqual(arrays());
  });

  it("leaves out what is no layer's", () => {
    const { data } = weights["embeddings.LayerNorm.bias"]!;
    const other = { shape: [D], data };
    expect(
      bertLayerWeights({
        "embeddings.norm.beta": other,
        "window.weight": other,
        "layers.0.attention.query.scale": other,
        "layers.x.attention.norm.beta": other,
        "old.layers.0.attention.norm.beta": other,
      }),
    ).toEqual({});
  });

  it("makes new arrays: neither it nor bertLayerArrays shares any", () => {
    const given = arrays();
    const back = bertLayerWeights(given);
    const buffers = (of: typeof weights) => Object.values(of).map(({ data }) => data.buffer);
    const all = [...buffers(given), ...buffers(back), ...buffers(ofLayers)];
    expect(new Set(all).size).toBe(3 * layers * 16);
  });
});
