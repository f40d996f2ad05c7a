import { tf } from "@clara/tensor";
import { checkGradient, expectClose, expectNoLeaks } from "@clara/tensor/testing";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { decode } from "./decoder.ts";
import type { DecoderConfig } from "./decoder-config.ts";
import { compressRows, placeMemories } from "./decoder-memory.ts";
import type { DecoderParams } from "./decoder-params.ts";
import { tinyDecoder } from "./tiny-decoder.testing.ts";

const rows = (...values: number[][]): tf.Tensor2D => tf.tensor2d(values, undefined, "int32");

describe("compressRows", () => {
  let params: DecoderParams;
  let config: DecoderConfig;
  beforeAll(() => {
    ({ params, config } = tinyDecoder());
  });
  afterAll(() => tf.dispose(params));
  const ids = [
    [1, 2, 3, 9, 10],
    [0, 0, 4, 9, 10],
  ];
  const mask = [
    [1, 1, 1, 1, 1],
    [0, 0, 1, 1, 1],
  ];

  it("takes the states of the memory tokens apart from those of the text", () => {
    tf.tidy(() => {
      const { memory, states } = compressRows(params, rows(...ids), rows(...mask), { ...config, memoryTokens: 2 });
      const all = decode(params, { ids: rows(...ids), mask: rows(...mask) }, config);
      expectClose(memory, tf.slice(all, [0, 3, 0], [2, 2, 8]), { absolute: 0 });
      expectClose(states, tf.slice(all, [0, 0, 0], [2, 3, 8]), { absolute: 0 });
    });
  });

  it("takes rows of its own for the memory tokens, and sends gradients to them", () => {
    const one: DecoderParams = { ...params, layers: params.layers.slice(0, 1) };
    tf.tidy(() => {
      const own = tf.slice(params.words, [9, 0], [2, 8]);
      const run = (memoryRows?: tf.Tensor2D): tf.Tensor =>
        compressRows(one, rows(...ids), rows(...mask), { ...config, memoryTokens: 2, memoryRows }).memory;
      expectClose(run(own), run(), { absolute: 1e-6 });
      const weight = tf.randomNormal([2, 2, 8], 0, 1, "float32", 9);
      checkGradient((x) => tf.mean(tf.mul(run(x as tf.Tensor2D), weight)), [own], { step: 0.01, tolerance: 5e-3 });
    });
  });

  it("leaks nothing, and refuses rows that are too short and other shapes", () => {
    const [x, m] = [rows(...ids), rows(...mask)];
    expectNoLeaks(() => compressRows(params, x, m, { ...config, memoryTokens: 2 }));
    const memoryRows = tf.zeros<tf.Rank.R2>([2, 4]);
    const run = (memoryTokens: number) => () => compressRows(params, x, m, { ...config, memoryTokens, memoryRows });
    expect(run(5)).toThrow("rows of 5 columns cannot end in 5 memory tokens after a text");
    expect(run(2)).toThrow("compressRows: memoryRows must be [2, 8], got [2, 4]");
    tf.dispose([x, m, memoryRows]);
  });
});

describe("placeMemories", () => {
  // Memory tokens 7 and 8, separator 9: two memories of two vectors in each of two prompts.
  const ids = [
    [1, 7, 8, 9, 7, 8, 9, 2],
    [1, 1, 7, 8, 9, 7, 8, 9],
  ];
  const memories = (): tf.Tensor4D => tf.tensor4d([10, 11, 20, 21, 30, 31, 40, 41], [2, 2, 2, 1]);

  it("puts vector m of memory j in the place of memory token m of run j", () => {
    tf.tidy(() => {
      const embeds: tf.Tensor3D = tf.tensor3d(ids.flat(), [2, 8, 1]);
      const placed = placeMemories(embeds, rows(...ids), memories(), { firstMemoryId: 7 });
      expect(tf.reshape(placed, [2, 8]).arraySync()).toEqual([
        [1, 10, 11, 9, 20, 21, 9, 2],
        [1, 1, 30, 31, 9, 40, 41, 9],
      ]);
    });
  });

  it("sends the gradient of each place to the vector in it, and none to the embedding that it hides", () => {
    tf.tidy(() => {
      const weight = tf.tensor3d(
        Array.from({ length: 16 }, (_, i) => i + 1),
        [2, 8, 1],
      );
      const loss = (embeds: tf.Tensor, given: tf.Tensor): tf.Scalar =>
        tf.sum(
          tf.mul(
            placeMemories(embeds as tf.Tensor3D, rows(...ids), given as tf.Tensor4D, { firstMemoryId: 7 }),
            weight,
          ),
        );
      const [embeds, given] = tf.grads(loss)([tf.ones([2, 8, 1]), memories()]);
      expectClose(given!, tf.tensor4d([2, 3, 5, 6, 11, 12, 14, 15], [2, 2, 2, 1]));
      expectClose(tf.reshape(embeds!, [2, 8]), [
        [1, 0, 0, 4, 0, 0, 7, 8],
        [9, 10, 0, 0, 13, 0, 0, 16],
      ]);
    });
  });

  it("leaks nothing, and refuses shapes that disagree", () => {
    const [x, given, embeds] = [rows(...ids), memories(), tf.ones<tf.Rank.R3>([2, 8, 1])];
    expectNoLeaks(() => placeMemories(embeds, x, given, { firstMemoryId: 7 }));
    const wide = tf.ones<tf.Rank.R3>([2, 8, 3]);
    expect(() => placeMemories(wide, x, given, { firstMemoryId: 7 })).toThrow(
      "placeMemories: memories must be [2, k, M, 3], got [2, 2, 2, 1]",
    );
    tf.dispose([x, given, embeds, wide]);
  });
});
