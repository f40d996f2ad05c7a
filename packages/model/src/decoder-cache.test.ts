import { tf } from "@clara/tensor";
import { expectClose, expectNoLeaks } from "@clara/tensor/testing";
import { describe, expect, it } from "vitest";
import { decode, embedTokens } from "./decoder.ts";
import { type Continued, decodeNext } from "./decoder-cache.ts";
import { nestAdapter } from "./decoder-params.ts";
import { tinyDecoder } from "./tiny-decoder.testing.ts";

const rows = (...values: number[][]): tf.Tensor2D => tf.tensor2d(values, undefined, "int32");

describe.each([
  ["Mistral with a sliding window", { sliding_window: 3 }],
  ["Qwen2 with biases", { model_type: "qwen2" }],
  ["Qwen3 with norms of heads, wider than D / H", { model_type: "qwen3", head_dim: 6 }],
])("decodeNext of %s", (_, changes) => {
  const { config, params } = tinyDecoder(changes);
  const { keyHeads, headWidth } = config;
  const scale = 0.5;
  const a = tf.randomNormal([8, 2], 0, 1, "float32", 3);
  const b = tf.randomNormal([2, keyHeads * headWidth], 0, 1, "float32", 4);
  const adapter = nestAdapter({ "layers.1.attention.key.a": a, "layers.1.attention.key.b": b }, scale);
  const options = { ...config, adapter };
  /** A cache of 5 slots with what was made of the tokens before, if any, and rubbish behind it. */
  const cachesOf = (made?: Continued) =>
    params.layers.map((_, i) => {
      const cache = (rows?: tf.Tensor3D): tf.Tensor4D => {
        const T = rows?.shape[1] ?? 0;
        const rest = tf.fill<tf.Rank.R4>([1, keyHeads, 5 - T, headWidth], 99);
        if (!rows) return rest;
        const byHead = tf.transpose(tf.reshape(rows, [1, T, keyHeads, headWidth]), [0, 2, 1, 3]) as tf.Tensor4D;
        return tf.concat([byHead, rest], 2);
      };
      return { keys: cache(made?.keys[i]), values: cache(made?.values[i]) };
    });
  const lengths = (count: number): tf.Tensor1D => tf.tensor1d([count], "int32");

  it("gives the states of decode, whole or continued from a cache", () => {
    tf.tidy(() => {
      const ids = rows([4, 9, 1, 7, 2]);
      const expected = decode(params, { ids, mask: tf.ones([1, 5]) }, options);
      const whole = decodeNext(params, { ids, lengths: lengths(0), caches: cachesOf() }, options);
      expectClose(whole.states, expected, { absolute: 1e-5 });
      const start = decodeNext(params, { ids: rows([4, 9, 1]), lengths: lengths(0), caches: cachesOf() }, options);
      const embeds = embedTokens(params, rows([7, 2]));
      const rest = decodeNext(params, { embeds, lengths: lengths(3), caches: cachesOf(start) }, options);
      expectClose(rest.states, tf.slice(expected, [0, 3, 0], [1, 2, 8]), { absolute: 1e-5 });
      expectClose(rest.values[1]!, tf.slice(whole.values[1]!, [0, 3, 0], [1, 2, -1]), { absolute: 1e-5 });
      const without = decode(params, { ids, mask: tf.ones([1, 5]) }, config);
      expect(tf.max(tf.abs(tf.sub(without, expected))).dataSync()[0]).toBeGreaterThan(0.01);
    });
  });

  it("leaves nothing behind", () => {
    const caches = cachesOf();
    const count = lengths(0);
    const ids = rows([3]);
    expectNoLeaks(() => decodeNext(params, { ids, lengths: count, caches }, options));
  });

  it("names what does not fit", () => {
    tf.tidy(() => {
      const ids = rows([3]);
      expect(() => decodeNext(params, { ids, lengths: lengths(0), caches: [] }, options)).toThrow(
        "decodeNext: caches must be [2], got [0]",
      );
      const two = tf.tensor1d([0, 0], "int32");
      expect(() => decodeNext(params, { ids, lengths: two, caches: cachesOf() }, options)).toThrow(
        "decodeNext: lengths must be [1], got [2]",
      );
    });
  });
});
