import { existsSync, readFileSync } from "node:fs";
import { ClaraError, type Weights } from "@clara/core";
import { type Lora, tf } from "@clara/tensor";
import { checkGradient, expectClose, expectNoLeaks } from "@clara/tensor/testing";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type BertBatch, encodeBert } from "./bert.ts";
import { parseBertConfig } from "./bert-config.ts";
import { type BertParams, bertParams } from "./bert-params.ts";
import { toFloat32 } from "./float32.ts";
import { readSafetensors } from "./safetensors.ts";
import { readWeights } from "./weights.ts";

const shape = { V: 7, P: 5, D: 4, F: 6 };

/** A checkpoint with Hugging Face's names and small seeded numbers. */
function checkpoint(layers = 1): Weights {
  const { V, P, D, F } = shape;
  const sizes: Record<string, number[]> = {
    "embeddings.word_embeddings.weight": [V, D],
    "embeddings.position_embeddings.weight": [P, D],
    "embeddings.token_type_embeddings.weight": [2, D],
  };
  const norms = ["embeddings.LayerNorm"];
  for (let i = 0; i < layers; i++) {
    const layer = `encoder.layer.${i}`;
    for (const name of ["self.query", "self.key", "self.value", "output.dense"]) {
      sizes[`${layer}.attention.${name}.weight`] = [D, D];
      sizes[`${layer}.attention.${name}.bias`] = [D];
    }
    sizes[`${layer}.intermediate.dense.weight`] = [F, D];
    sizes[`${layer}.intermediate.dense.bias`] = [F];
    sizes[`${layer}.output.dense.weight`] = [D, F];
    sizes[`${layer}.output.dense.bias`] = [D];
    norms.push(`${layer}.attention.output.LayerNorm`, `${layer}.output.LayerNorm`);
  }
  for (const norm of norms) for (const part of ["weight", "bias"]) sizes[`${norm}.${part}`] = [D];
  let seed = 7;
  const next = (): number => {
    seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
    return seed / 2 ** 31 - 1;
  };
  return Object.fromEntries(
    Object.entries(sizes).map(([name, sizesOf]) => {
      const length = sizesOf.reduce((x, y) => x * y, 1);
      return [name, { shape: sizesOf, data: Float32Array.from({ length }, next) }];
    }),
  );
}

function batchOf(
  rows: number[][],
  types = rows.map((row) => row.map(() => 0)),
  mask = rows.map((row) => row.map(() => 1)),
): BertBatch {
  const [B, T] = [rows.length, rows[0]!.length];
  const matrix = (values: number[][]): tf.Tensor2D => tf.tensor2d(values.flat(), [B, T], "int32");
  return { ids: matrix(rows), types: matrix(types), mask: matrix(mask) };
}

function code(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    return error instanceof ClaraError ? error.code : `not a ClaraError: ${error}`;
  }
  return "none";
}

describe("bertParams", () => {
  it("turns linear weights from [O, I] to [I, O]", () => {
    const weights = checkpoint();
    const params = bertParams(weights, { layers: 1 });
    const stored = weights["encoder.layer.0.intermediate.dense.weight"]!.data;
    const got = params.layers[0]!.feedForward.in.weight;
    expect(got.shape).toEqual([4, 6]);
    expect(got.arraySync()[1]![5]).toBe(stored[5 * 4 + 1]);
    tf.dispose(params);
  });

  it("names the tensor that is missing or misshapen, and leaks nothing then", () => {
    const { "encoder.layer.0.output.dense.bias": _, ...cut } = checkpoint();
    const wide = { ...checkpoint(), "embeddings.LayerNorm.bias": { shape: [5], data: new Float32Array(5) } };
    const before = tf.memory().numTensors;
    expect(() => bertParams(cut, { layers: 1 })).toThrow('no tensor "encoder.layer.0.output.dense.bias"');
    expect(() => bertParams(wide, { layers: 1 })).toThrow('"embeddings.LayerNorm.bias" must be [4], got [5]');
    expect(() => bertParams(checkpoint(), { layers: 2 })).toThrow('"encoder.layer.1.');
    expect(() => bertParams(checkpoint(), { layers: 1, prefix: "reader" })).toThrow("check prefix and layers");
    expect(tf.memory().numTensors).toBe(before);
  });

  it("lets two stacks share one table, and both be disposed", () => {
    const before = tf.memory().numTensors;
    const one = bertParams(checkpoint(), { layers: 1 });
    const two = bertParams(checkpoint(), { layers: 1, embeddings: one.embeddings });
    expect(two.embeddings.words).toBe(one.embeddings.words);
    tf.dispose([one, two]);
    expect(tf.memory().numTensors).toBe(before);
  });
});

describe("encodeBert", () => {
  let params: BertParams;
  beforeAll(() => {
    params = bertParams(checkpoint(2), { layers: 2 });
  });
  afterAll(() => tf.dispose(params));

  it("is the embeddings' layer norm when there are no layers", () => {
    tf.tidy(() => {
      const embeddings = {
        words: tf.tensor2d([1, 2, 5, 5], [2, 2]),
        positions: tf.tensor2d([0, 0, 1, 4], [2, 2]),
        types: tf.tensor2d([0, 0, 0, 3], [2, 2]),
        norm: { gamma: tf.tensor1d([1, 2]), beta: tf.tensor1d([0, 10]) },
      };
      const states = encodeBert({ embeddings, layers: [] }, batchOf([[0, 1]], [[0, 1]]), { heads: 1 });
      // [1, 2] and [5 + 1, 5 + 4 + 3] become [-1, 1], then times gamma plus beta.
      expectClose(states, tf.tensor3d([-1, 12, -1, 12], [1, 2, 2]));
    });
  });

  it("gives a text the same states alone and padded in a batch", () => {
    tf.tidy(() => {
      const alone = encodeBert(params, batchOf([[1, 2, 3]]), { heads: 2 });
      const masks = [
        [1, 1, 1, 0],
        [1, 1, 1, 1],
      ];
      const padded = encodeBert(
        params,
        batchOf(
          [
            [1, 2, 3, 0],
            [4, 5, 6, 1],
          ],
          undefined,
          masks,
        ),
        { heads: 2 },
      );
      expectClose(tf.slice(padded, [0, 0, 0], [1, 3, 4]), alone, { absolute: 1e-5 });
    });
  });

  it("adds a LoRA update exactly as if it were merged into the weight", () => {
    tf.tidy(() => {
      const lora: Lora = { a: tf.tensor2d([1, 0, -1, 2], [4, 1]), b: tf.tensor2d([0.5, 1, 0, -1], [1, 4]), scale: 0.3 };
      const merged = structuredCopy(params);
      const query = merged.layers[1]!.attention.query;
      query.weight = tf.add(query.weight, tf.mul(tf.matMul(lora.a, lora.b), lora.scale));
      const batch = batchOf([[1, 2, 3]]);
      const path = "layers.1.attention.query";
      const updated = encodeBert(params, batch, { heads: 2, lora: { [path]: lora } });
      expectClose(updated, encodeBert(merged, batch, { heads: 2 }), { absolute: 1e-5 });
    });
  });

  it("sends gradients to every LoRA matrix", () => {
    const one: BertParams = { ...params, layers: params.layers.slice(0, 1) };
    const sizes: Record<string, [number, number]> = {
      "attention.query": [4, 4],
      "attention.key": [4, 4],
      "attention.value": [4, 4],
      "attention.output": [4, 4],
      "feedForward.in": [4, 6],
      "feedForward.out": [6, 4],
    };
    const paths = Object.keys(sizes);
    const matrices = Object.values(sizes).flatMap(([I, O], i) => [
      tf.randomNormal<tf.Rank.R2>([I, 1], 0, 0.5, "float32", i),
      tf.randomNormal<tf.Rank.R2>([1, O], 0, 0.5, "float32", 50 + i),
    ]);
    const batch = batchOf(
      [
        [1, 2, 3],
        [4, 5, 0],
      ],
      [
        [0, 0, 1],
        [0, 0, 0],
      ],
      [
        [1, 1, 1],
        [1, 1, 0],
      ],
    );
    const weight = tf.randomNormal([2, 3, 4], 0, 1, "float32", 9);
    const lossOf = (...inputs: tf.Tensor[]): tf.Tensor => {
      const lora = Object.fromEntries(
        paths.map((path, i): [string, Lora] => [
          `layers.0.${path}`,
          { a: inputs[2 * i] as tf.Tensor2D, b: inputs[2 * i + 1] as tf.Tensor2D, scale: 0.5 },
        ]),
      );
      return tf.mean(tf.mul(encodeBert(one, batch, { heads: 2, lora }), weight));
    };
    checkGradient(lossOf, matrices, { step: 0.01, tolerance: 5e-3 });
    tf.dispose([matrices, batch, weight]);
  });

  it("leaks nothing", () => {
    const batch = batchOf([[1, 2, 3]]);
    expectNoLeaks(() => encodeBert(params, batch, { heads: 2 }));
    tf.dispose(batch);
  });

  it("refuses too many tokens, shapes that differ, and adapters for maps it lacks", () => {
    tf.tidy(() => {
      const lora = { a: tf.zeros<tf.Rank.R2>([4, 1]), b: tf.zeros<tf.Rank.R2>([1, 4]), scale: 1 };
      const batch = batchOf([[1, 2, 3]]);
      const run = (changes: Partial<BertBatch>, path?: string) => () =>
        encodeBert(params, { ...batch, ...changes }, { heads: 2, lora: path ? { [path]: lora } : {} });
      expect(run(batchOf([[1, 1, 1, 1, 1, 1]]))).toThrow("has 5 positions, got 6 tokens; cut or split");
      expect(code(run({ mask: tf.ones([1, 2], "int32") }))).toBe("shape");
      expect(code(run({ types: tf.ones([2, 3], "int32") }))).toBe("shape");
      expect(run({}, "layers.2.attention.query")).toThrow('no linear map "layers.2.attention.query" in 2 layers');
      expect(code(run({}, "layers.0.attention.norm"))).toBe("option");
      expect(code(() => encodeBert(params, batch, { heads: 3 }))).toBe("option");
    });
  });
});

/** The same tensors in other objects, so that one can be exchanged. */
function structuredCopy({ embeddings, layers }: BertParams): BertParams {
  return {
    embeddings,
    layers: layers.map(({ attention, feedForward }) => ({
      attention: { ...attention, query: { ...attention.query } },
      feedForward,
    })),
  };
}

describe("parseBertConfig", () => {
  const config = {
    width: 384,
    layers: 6,
    heads: 12,
    feedForward: 1536,
    vocabulary: 30522,
    positions: 512,
    layerNormEps: 1e-12,
  };
  const foreign = {
    hidden_size: 384,
    num_hidden_layers: 6,
    num_attention_heads: 12,
    intermediate_size: 1536,
    vocab_size: 30522,
    max_position_embeddings: 512,
    layer_norm_eps: 1e-12,
    hidden_act: "gelu",
  };

  it("reads our names and Hugging Face's", () => {
    expect(parseBertConfig({ ...config, id: "more" })).toEqual(config);
    expect(parseBertConfig(foreign)).toEqual(config);
  });

  it("names the field that is wrong", () => {
    expect(() => parseBertConfig(null)).toThrow("the file must be an object");
    expect(() => parseBertConfig({ ...foreign, num_hidden_layers: 1.5 })).toThrow(
      "num_hidden_layers must be a whole number above 0, got 1.5",
    );
    expect(() => parseBertConfig({ ...config, heads: undefined })).toThrow(
      "heads must be a whole number above 0, got nothing",
    );
    expect(() => parseBertConfig({ ...foreign, hidden_act: "relu" })).toThrow('hidden_act must be "gelu", got "relu"');
    expect(code(() => parseBertConfig({ ...config, heads: 7 }))).toBe("weights");
  });
});

const models = new URL("../../../../shared/models/", import.meta.url);
const here = existsSync(models);

describe.skipIf(!here)("parity with PyTorch (needs ../shared/models)", () => {
  const read = (path: string): Buffer => readFileSync(new URL(path, models));
  const json = <T>(path: string): T => JSON.parse(read(path).toString());
  const heads = 12;
  let weights: Weights;
  let encoder: BertParams;
  beforeAll(() => {
    weights = readWeights(read("all-MiniLM-L6-v2/model.safetensors"));
    encoder = bertParams(weights, { layers: 6 });
  });
  afterAll(() => tf.dispose(encoder));

  // These golden values are of the float32 original, the weights here are rounded to float16. States reach 5.9; the
  // rounding alone moves them by up to 2.4e-3. The reader's golden values are of rounded weights: 1e-5 there.
  it("gives the golden states within 3e-3 and sentence embeddings within 1e-3", () => {
    const cases = json<{ ids: number[] }[]>("all-MiniLM-L6-v2/golden.json");
    const { tensors } = readSafetensors(read("all-MiniLM-L6-v2/golden.safetensors"));
    for (const i of [0, 1, 2, 3, 14]) {
      tf.tidy(() => {
        const states = encodeBert(encoder, batchOf([cases[i]!.ids]), { heads });
        const golden = tensors[`last_hidden_state.${i}`];
        if (golden) expectClose(tf.reshape(states, [-1]), toFloat32(golden), { absolute: 3e-3, relative: 0 });
        const sum = tf.sum(states, 1);
        const embedding = tf.div(sum, tf.norm(sum));
        expectClose(tf.reshape(embedding, [-1]), toFloat32(tensors[`embedding.${i}`]!), {
          absolute: 1e-3,
          relative: 0,
        });
      });
    }
  });

  it("gives the reader's golden logits within 1e-4", () => {
    const own = readWeights(read("reader-prototype/model.safetensors"));
    type Case = { input_ids: number[]; token_type_ids: number[] };
    const cases = json<Case[]>("reader-prototype/golden.json");
    const { tensors } = readSafetensors(read("reader-prototype/golden.safetensors"));
    const reader = bertParams(own, { layers: 6, embeddings: encoder.embeddings });
    for (const i of [0, 2]) {
      const { input_ids, token_type_ids } = cases[i]!;
      tf.tidy(() => {
        const states = encodeBert(reader, batchOf([input_ids], [token_type_ids]), { heads });
        const head = tf.tensor2d(own["span.weight"]!.data, [2, 384]);
        const flat: tf.Tensor2D = tf.reshape(states, [-1, 384]);
        const logits = tf.add(tf.matMul(flat, head, false, true), tf.tensor1d(own["span.bias"]!.data));
        expectClose(tf.reshape(logits, [-1]), toFloat32(tensors[`logits.${i}`]!), { absolute: 1e-4, relative: 0 });
      });
    }
    tf.dispose(reader);
  });
});
