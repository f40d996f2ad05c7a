import type { Weights } from "@clara/core";
import { describe, expect, it } from "vitest";
import { adapterArrays, adapterWeights, decoderArrays } from "./decoder-arrays.ts";
import { parseDecoderConfig } from "./decoder-config.ts";
import { decoderCheckpoint, tinyConfigFile } from "./tiny-decoder.testing.ts";

const config = parseDecoderConfig(tinyConfigFile);
const query = "model.layers.1.self_attn.q_proj";

/** LoRA matrices of rank 3 for every linear map, by PEFT's names. */
function adapterOf(rank = 3): Weights {
  const maps = Object.entries(decoderCheckpoint(config)).filter(([name]) => name.includes("_proj."));
  return Object.fromEntries(
    maps.flatMap(([name, { shape }]) => {
      const [O, I] = shape as [number, number];
      const [a, b] = [rank * I, O * rank].map((length) => Float32Array.from({ length }, (_, i) => i));
      const start = name.slice(0, -"weight".length);
      return [
        [`${start}lora_A.weight`, { shape: [rank, I], data: a! }],
        [`${start}lora_B.weight`, { shape: [O, rank], data: b! }],
      ];
    }),
  );
}

describe("decoderArrays", () => {
  it("names everything anew and turns linear weights from [O, I] to [I, O]", () => {
    const weights = decoderCheckpoint(config);
    const arrays = decoderArrays(weights, config);
    expect(Object.keys(arrays).length).toBe(Object.keys(weights).length);
    const stored = weights["model.layers.1.mlp.gate_proj.weight"]!; // [6, 8]
    const turned = arrays["layers.1.feedForward.gate.weight"]!;
    expect(turned.shape).toEqual([8, 6]);
    expect(turned.data[2 * 6 + 5]).toBe(stored.data[5 * 8 + 2]);
    expect(arrays.head).toBe(weights["lm_head.weight"]);
  });

  it("takes biases, norms of heads and a tied head as the config has them", () => {
    const qwen2 = parseDecoderConfig({ ...tinyConfigFile, model_type: "qwen2", tie_word_embeddings: true });
    const biased = decoderArrays(decoderCheckpoint(qwen2), qwen2);
    expect(biased["layers.0.attention.key.bias"]!.shape).toEqual([4]);
    expect([biased.head, biased["layers.0.attention.output.bias"]]).toEqual([undefined, undefined]);
    const qwen3 = parseDecoderConfig({ ...tinyConfigFile, model_type: "qwen3", head_dim: 6 });
    const normed = decoderArrays(decoderCheckpoint(qwen3), qwen3);
    expect(normed["layers.1.attention.keyNorm"]!.shape).toEqual([6]);
    expect(normed["layers.1.attention.query.weight"]!.shape).toEqual([8, 12]);
  });

  it("takes a table and a head that have grown, and no others", () => {
    const weights = decoderCheckpoint(config);
    const table = (rows: number) => ({ shape: [rows, 8], data: new Float32Array(rows * 8) });
    const grown = { ...weights, "model.embed_tokens.weight": table(14), "lm_head.weight": table(14) };
    expect(decoderArrays(grown, config).words!.shape).toEqual([14, 8]);
    expect(() => decoderArrays({ ...grown, "lm_head.weight": table(11) }, config)).toThrow(
      '"lm_head.weight" must be [14, 8], got [11, 8]',
    );
    expect(() => decoderArrays({ ...weights, "model.embed_tokens.weight": table(9) }, config)).toThrow(
      "the table has 9 rows, and the vocabulary 11",
    );
  });

  it("names the tensor that is missing or misshapen", () => {
    const { [`${query}.weight`]: _, ...cut } = decoderCheckpoint(config);
    expect(() => decoderArrays(cut, config)).toThrow(`there is no tensor "${query}.weight"`);
    const short = { ...cut, [`${query}.weight`]: { shape: [8, 8], data: new Float32Array(63) } };
    expect(() => decoderArrays(short, config)).toThrow(`must be [8, 8], got [8, 8] with 63 numbers`);
  });
});

describe("adapterArrays", () => {
  it("names every matrix anew, turned, and back again", () => {
    const weights = adapterOf();
    const arrays = adapterArrays(
      { ...weights, "model.embed_tokens.weight": weights[`${query}.lora_A.weight`]! },
      config,
    );
    expect(Object.keys(arrays).length).toBe(2 * 7 * 2);
    const { shape, data } = arrays["layers.1.attention.query.a"]!; // [8, 3]
    expect([shape, data[5 * 3 + 2]]).toEqual([[8, 3], 2 * 8 + 5]);
    expect(adapterWeights(arrays, config)).toEqual(weights);
  });

  it("names the matrix that is missing, or of another rank", () => {
    const { [`${query}.lora_B.weight`]: _, ...cut } = adapterOf();
    expect(() => adapterArrays(cut, config)).toThrow(`adapterArrays: there is no tensor "${query}.lora_B.weight"`);
    const other = { ...adapterOf(), [`${query}.lora_A.weight`]: adapterOf(2)[`${query}.lora_A.weight`]! };
    expect(() => adapterArrays(other, config)).toThrow(`"${query}.lora_A.weight" must be [3, 8], got [2, 8]`);
    expect(() => adapterWeights({}, config)).toThrow('there is no tensor "layers.0.attention.query.a"');
  });
});
