import { ClaraError } from "@clara/core";
import { type Lora, tf } from "@clara/tensor";
import { checkGradient, expectClose, expectNoLeaks } from "@clara/tensor/testing";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type DecodeOptions, decode, decoderLogits, embedTokens } from "./decoder.ts";
import { decoderMapPaths } from "./decoder-arrays.ts";
import type { DecoderConfig } from "./decoder-config.ts";
import { type DecoderParams, nestAdapter } from "./decoder-params.ts";
import { tinyDecoder } from "./tiny-decoder.testing.ts";

const rows = (...values: number[][]): tf.Tensor2D => tf.tensor2d(values, undefined, "int32");
const close = { absolute: 1e-5, relative: 1e-4 };

function code(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    return error instanceof ClaraError ? error.code : `not a ClaraError: ${error}`;
  }
  return "none";
}

describe("decode", () => {
  let params: DecoderParams;
  let config: DecoderConfig;
  beforeAll(() => {
    ({ params, config } = tinyDecoder());
  });
  afterAll(() => tf.dispose(params));

  /** LoRA matrices of rank 2 for all seven maps of layer 0. */
  const adapterOf = (scale = 0.5): Record<string, Lora> =>
    Object.fromEntries(
      decoderMapPaths.map((path, i): [string, Lora] => {
        const [part, name] = path.split(".") as ["attention", "query"];
        const [I, O] = params.layers[0]![part][name].weight!.shape;
        const a = tf.randomNormal<tf.Rank.R2>([I, 2], 0, 0.5, "float32", i + 1);
        const b = tf.randomNormal<tf.Rank.R2>([2, O], 0, 0.5, "float32", 50 + i);
        return [`layers.0.${path}`, { a, b, scale }];
      }),
    );

  it("is the last norm of the embeddings when there are no layers", () => {
    tf.tidy(() => {
      const none = { words: tf.tensor2d([3, 4, 1, 0], [2, 2]), layers: [], norm: tf.tensor1d([1, 10]) };
      const states = decode(none, { ids: rows([1, 0]), mask: rows([1, 1]) }, { ...config, normEps: 1e-12 });
      // Mean squares are 0.5 and 12.5.
      const [a, b] = [Math.SQRT1_2, Math.sqrt(12.5)];
      expectClose(states, tf.tensor3d([1 / a, 0, 3 / b, 40 / b], [1, 2, 2]));
    });
  });

  it("gives a text the same states alone and padded on the left in a batch", () => {
    tf.tidy(() => {
      const alone = decode(params, { ids: rows([1, 2, 3]), mask: rows([1, 1, 1]) }, config);
      const ids = rows([9, 9, 1, 2, 3], [4, 5, 6, 7, 8]);
      const states = decode(params, { ids, mask: rows([0, 0, 1, 1, 1], [1, 1, 1, 1, 1]) }, config);
      expectClose(tf.slice(states, [0, 2, 0], [1, 3, 8]), alone, close);
      expect(Array.from(states.dataSync()).every(Number.isFinite)).toBe(true);
    });
  });

  it("looks at no token that comes later", () => {
    tf.tidy(() => {
      const of = (...ids: number[]): tf.Tensor =>
        tf.slice(decode(params, { ids: rows(ids), mask: tf.ones([1, 4]) }, config), [0, 0, 0], [1, 3, 8]);
      expectClose(of(1, 2, 3, 4), of(1, 2, 3, 9), close);
    });
  });

  it("looks no further back than the window, in each layer", () => {
    tf.tidy(() => {
      const of = (first: number, window: number | null): tf.Tensor => {
        const ids = rows([first, 2, 3, 4]);
        return tf.slice(decode(params, { ids, mask: tf.ones([1, 4]) }, { ...config, window }), [0, 3, 0], [1, 1, 8]);
      };
      const difference = (window: number | null): number =>
        tf.max(tf.abs(tf.sub(of(1, window), of(9, window)))).dataSync()[0]!;
      // Two layers of a window of 2 reach two tokens back, and the first is three away.
      expect(difference(2)).toBe(0);
      expect(difference(3)).toBeGreaterThan(1e-3);
      expect(difference(null)).toBeGreaterThan(1e-3);
    });
  });

  it("takes vectors in place of tokens", () => {
    tf.tidy(() => {
      const [ids, mask] = [rows([1, 2, 3]), rows([1, 1, 1])];
      const embeds = embedTokens(params, ids);
      expectClose(decode(params, { embeds, mask }, config), decode(params, { ids, mask }, config), { absolute: 0 });
    });
  });

  it.each(decoderMapPaths)("adds a LoRA update exactly as if it were merged into the weight: %s", (path) => {
    tf.tidy(() => {
      const lora = adapterOf(0.3)[`layers.0.${path}`]!;
      const [part, name] = path.split(".") as ["attention", "query"];
      const layer = { ...params.layers[0]!, [part]: { ...params.layers[0]![part] } };
      const { weight } = layer[part][name];
      layer[part][name] = { weight: tf.add(weight!, tf.mul(tf.matMul(lora.a, lora.b), lora.scale)) };
      const batch = { ids: rows([1, 2, 3]), mask: rows([1, 1, 1]) };
      const merged = decode({ ...params, layers: [layer, params.layers[1]!] }, batch, config);
      expectClose(decode(params, batch, { ...config, adapter: { [`layers.0.${path}`]: lora } }), merged, close);
    });
  });

  it("sends gradients to every LoRA matrix, and to vectors in place of tokens", () => {
    const one: DecoderParams = { ...params, layers: params.layers.slice(0, 1) };
    const adapter = Object.entries(adapterOf());
    const matrices = adapter.flatMap(([, { a, b }]) => [a, b]);
    const embeds = tf.randomNormal<tf.Rank.R3>([2, 3, 8], 0, 1, "float32", 4);
    const mask = rows([0, 1, 1], [1, 1, 1]);
    const weight = tf.mul(tf.randomNormal([2, 3, 8], 0, 1, "float32", 9), tf.reshape(mask, [2, 3, 1]));
    const lossOf = (embeds: tf.Tensor, ...inputs: tf.Tensor[]): tf.Tensor => {
      const moved = Object.fromEntries(
        adapter.map(([path, { scale }], i): [string, Lora] => [
          path,
          { a: inputs[2 * i] as tf.Tensor2D, b: inputs[2 * i + 1] as tf.Tensor2D, scale },
        ]),
      );
      return tf.mean(
        tf.mul(decode(one, { embeds: embeds as tf.Tensor3D, mask }, { ...config, adapter: moved }), weight),
      );
    };
    checkGradient(lossOf, [embeds, ...matrices], { step: 0.01, tolerance: 5e-3 });
    tf.dispose([adapter.map(([, lora]) => lora), embeds, mask, weight]);
  });

  it("drops other entries at each step and the same ones at the same, and none without a step", () => {
    tf.tidy(() => {
      const adapter = adapterOf();
      const batch = { ids: rows([1, 2, 3]), mask: rows([1, 1, 1]) };
      const at = (step: number, rate = 0.5): tf.Tensor => {
        const dropout = { rate, seed: 3, step: tf.scalar(step, "int32") };
        return decode(params, batch, { ...config, adapter, dropout });
      };
      const differ = (a: tf.Tensor, b: tf.Tensor): number => tf.max(tf.abs(tf.sub(a, b))).dataSync()[0]!;
      expect(differ(at(1), at(1))).toBe(0);
      expect(differ(at(1), at(2))).toBeGreaterThan(1e-3);
      expectClose(at(1, 0), decode(params, batch, { ...config, adapter }), close);
    });
  });

  it("leaks nothing", () => {
    const batch = { ids: rows([1, 2, 3]), mask: rows([1, 1, 1]) };
    const adapter = adapterOf();
    expectNoLeaks(() => decode(params, batch, { ...config, adapter }));
    expectNoLeaks(() => embedTokens(params, batch.ids));
    tf.dispose([batch, adapter]);
  });

  it("refuses shapes that differ, and adapters for maps it lacks", () => {
    tf.tidy(() => {
      const mask = rows([1, 1, 1]);
      const run =
        (batch: Parameters<typeof decode>[1], options: Partial<DecodeOptions> = {}) =>
        () =>
          decode(params, batch, { ...config, ...options });
      expect(run({ ids: rows([1, 2]), mask })).toThrow("decode: ids must be [1, 3], got [1, 2]");
      expect(run({ embeds: tf.ones([1, 3, 4]), mask })).toThrow("decode: embeds must be [1, 3, 8], got [1, 3, 4]");
      const lora = { a: tf.zeros<tf.Rank.R2>([8, 1]), b: tf.zeros<tf.Rank.R2>([1, 8]), scale: 1 };
      for (const path of [
        "layers.2.attention.query",
        "layers.0.attention.norm",
        "layers.0.attention.q_proj",
        "query",
      ]) {
        const strange = run({ ids: mask, mask }, { adapter: { [path]: lora } });
        expect(strange).toThrow(`no linear map "${path}" in 2 layers`);
        expect(code(strange)).toBe("option");
      }
      expect(code(run({ ids: mask, mask }, { heads: 3 }))).toBe("option");
    });
  });
});

describe("decoderLogits", () => {
  it("is the product with the head, or with the embeddings where they are tied", () => {
    tf.tidy(() => {
      const words = tf.tensor2d([1, 0, 0, 1, 1, 1], [3, 2]);
      const states = tf.tensor2d([2, 3], [1, 2]);
      expectClose(decoderLogits({ words }, states), tf.tensor2d([2, 3, 5], [1, 3]));
      expectClose(decoderLogits({ words, head: tf.tensor2d([1, 1], [1, 2]) }, states), tf.tensor2d([5], [1, 1]));
      expect(() => decoderLogits({ words }, tf.ones([1, 3]))).toThrow(
        "decoderLogits: states must be [N, 2], got [1, 3]",
      );
      expectNoLeaks(() => decoderLogits({ words }, states));
    });
  });
});

describe("nestAdapter", () => {
  it("takes the matrices with its prefix, and passes over others", () => {
    tf.tidy(() => {
      const [a, b] = [tf.zeros([8, 2]), tf.zeros([2, 8])];
      const path = "layers.0.attention.query";
      const tensors = { [`query.${path}.a`]: a, [`query.${path}.b`]: b, [`generator.${path}.a`]: b, words: a };
      expect(nestAdapter(tensors, 2, "query.")).toEqual({ [path]: { a, b, scale: 2 } });
    });
  });
});
