import { ClaraError } from "@clara/core";
import { tf } from "@clara/tensor";
import { checkGradient, expectClose, expectNoLeaks } from "@clara/tensor/testing";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { encodeBert, encodeStates } from "./bert.ts";
import { type BertParams, bertParams } from "./bert-params.ts";
import { randomWeights, tiny } from "./tiny-bert.testing.ts";

const { D, layers, heads } = tiny;
let params: BertParams;
beforeAll(() => {
  params = bertParams(randomWeights(), { layers });
});
afterAll(() => tf.dispose(params));

/** States of no tokens. @returns [B, T, D] */
const states = (B: number, T: number) => tf.randomNormal<tf.Rank.R3>([B, T, D], 0, 1, "float32", 3);
const ones = (B: number, T: number): tf.Tensor2D => tf.ones([B, T], "int32");

describe("encodeStates", () => {
  it("is encodeBert from the embeddings on", () => {
    tf.tidy(() => {
      const ids = tf.tensor2d([3, 19, 0, 7, 5, 5], [2, 3], "int32");
      const types = tf.tensor2d([0, 0, 1, 0, 1, 1], [2, 3], "int32");
      const mask = tf.tensor2d([1, 1, 1, 1, 1, 0], [2, 3], "int32");
      const embedded = encodeBert({ ...params, layers: [] }, { ids, types, mask }, { heads });
      const whole = encodeBert(params, { ids, types, mask }, { heads });
      expectClose(encodeStates(params.layers, embedded, mask, { heads }), whole);
    });
  });

  it("gives the states back where there are no layers", () => {
    tf.tidy(() => {
      const x = states(1, 2);
      expectClose(encodeStates([], x, ones(1, 2), { heads }), x);
    });
  });

  it("does not see padding, nor the other rows of a batch", () => {
    tf.tidy(() => {
      const x = states(2, 4);
      const mask = tf.tensor2d([1, 1, 0, 0, 1, 1, 1, 1], [2, 4], "int32");
      const alone = encodeStates(params.layers, tf.slice(x, [0, 0, 0], [1, 2, D]), ones(1, 2), { heads });
      const among = encodeStates(params.layers, x, mask, { heads });
      expect(among.shape).toEqual([2, 4, D]);
      expectClose(tf.slice(among, [0, 0, 0], [1, 2, D]), alone, { absolute: 1e-5 });
    });
  });

  it("has no order but that of its input: rows that change places change places in what comes out", () => {
    tf.tidy(() => {
      const x = states(1, 3);
      const y = encodeStates(params.layers, x, ones(1, 3), { heads });
      const turned = encodeStates(params.layers, tf.reverse(x, 1), ones(1, 3), { heads });
      expectClose(tf.reverse(turned, 1), y, { absolute: 1e-5 });
    });
  });

  it("takes an update of a map, and an epsilon, as encodeBert does", () => {
    tf.tidy(() => {
      const x = states(1, 3);
      const { query } = params.layers[1]!.attention;
      const lora = {
        a: tf.randomNormal<tf.Rank.R2>([D, 2], 0, 1, "float32", 4),
        b: tf.randomNormal<tf.Rank.R2>([2, D], 0, 1, "float32", 5),
        scale: 0.5,
      };
      const weight: tf.Tensor2D = tf.add(query.weight, tf.mul(tf.matMul(lora.a, lora.b), 0.5));
      const second = params.layers[1]!;
      const merged = [
        params.layers[0]!,
        { ...second, attention: { ...second.attention, query: { ...query, weight } } },
      ];
      const updated = encodeStates(params.layers, x, ones(1, 3), { heads, lora: { "layers.1.attention.query": lora } });
      expectClose(updated, encodeStates(merged, x, ones(1, 3), { heads }), { absolute: 1e-5 });
      const [plain, blurred] = [{}, { layerNormEps: 1 }].map((eps) =>
        encodeStates(params.layers, x, ones(1, 3), { heads, ...eps }),
      );
      expect(tf.max(tf.abs(tf.sub(plain!, blurred!))).dataSync()[0]).toBeGreaterThan(0.01);
    });
  });

  it("sends gradients to the states", () => {
    const [x, weight, mask] = [states(1, 2), tf.randomNormal([1, 2, D], 0, 1, "float32", 9), ones(1, 2)];
    const loss = (given: tf.Tensor): tf.Tensor =>
      tf.mean(tf.mul(encodeStates(params.layers, given as tf.Tensor3D, mask, { heads }), weight));
    checkGradient(loss, [x], { step: 0.01, tolerance: 5e-3 });
    tf.dispose([x, weight, mask]);
  });

  it("leaks nothing", () => {
    const [x, mask] = [states(1, 2), ones(1, 2)];
    expectNoLeaks(() => encodeStates(params.layers, x, mask, { heads }));
    tf.dispose([x, mask]);
  });

  it("refuses a mask of another shape, heads that do not divide the width, and updates of maps it lacks", () => {
    tf.tidy(() => {
      const x = states(2, 3);
      const run = (mask: tf.Tensor2D, options: object) => () =>
        encodeStates(params.layers, x, mask, { heads, ...options });
      expect(run(ones(3, 2), {})).toThrow("encodeStates: mask must be [2, 3], got [3, 2]");
      expect(run(ones(2, 3), { heads: 3 })).toThrow(ClaraError);
      const lora = { a: tf.zeros([D, 1]), b: tf.zeros([1, D]), scale: 1 };
      expect(run(ones(2, 3), { lora: { "layers.2.attention.query": lora } })).toThrow(/no linear map "layers\.2\./);
    });
  });
});
