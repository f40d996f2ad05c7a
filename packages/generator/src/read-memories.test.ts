import { ClaraError } from "@clara/core";
import { tf } from "@clara/tensor";
import { checkGradient, expectClose, expectNoLeaks } from "@clara/tensor/testing";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { memoryReaderArrays, nestMemoryReader } from "./memory-reader.ts";
import {
  type MemoryBatch,
  type MemoryReaderParams,
  type PointerBatch,
  pointerLogits,
  readMemories,
  windowLogits,
} from "./read-memories.ts";
import {
  numbers,
  type OneCase,
  pointsInLoops,
  readInLoops,
  tiny,
  tinyMemoryWeights,
  windowsInLoops,
} from "./tiny-memory-reader.testing.ts";

const { D, d, heads } = tiny;
const weights = tinyMemoryWeights();
const tolerance = { absolute: 1e-5 };

let params: MemoryReaderParams;
let words: tf.Tensor2D;
beforeAll(() => {
  const arrays = Object.entries(memoryReaderArrays(weights, { layers: tiny.layers, width: D }));
  params = nestMemoryReader(
    Object.fromEntries(arrays.map(([path, { data, shape }]) => [path, tf.tensor(data, [...shape])])),
  );
  words = tf.tensor2d(weights["embeddings.word_embeddings.weight"]!.data, [tiny.V, D]);
});
afterAll(() => tf.dispose([params, words]));

function oneCase(U: number, M: number, seed: number): OneCase {
  const next = numbers(seed);
  const rows = (count: number, width: number) =>
    Array.from({ length: count }, () => Array.from({ length: width }, next));
  return { question: rows(U, D), memory: rows(M, d), overlap: Array.from({ length: M }, () => Math.abs(next())) };
}

/** Cases as one batch; what is padded has numbers of its own, which must not be seen. */
function batchOf(cases: readonly OneCase[], { U, M }: { U: number; M: number }): MemoryBatch {
  const fill = <T>(rows: readonly T[], length: number, filler: T): T[] =>
    Array.from({ length }, (_, i) => rows[i] ?? filler);
  const ones = (count: number, length: number) => Array.from({ length }, (_, i) => Number(i < count));
  const [noise, other] = [Array(D).fill(7), Array(d).fill(-9)];
  return {
    question: tf.tensor3d(cases.map(({ question }) => fill(question, U, noise)) as number[][][]),
    questionMask: tf.tensor2d(
      cases.map(({ question }) => ones(question.length, U)),
      [cases.length, U],
      "int32",
    ),
    memory: tf.tensor3d(cases.map(({ memory }) => fill(memory, M, other)) as number[][][]),
    memoryMask: tf.tensor2d(
      cases.map(({ memory }) => ones(memory.length, M)),
      [cases.length, M],
      "int32",
    ),
    overlap: tf.tensor2d(cases.map(({ overlap }) => fill(overlap, M, 0.5))),
  };
}

const first = oneCase(3, 2, 5);
const second = oneCase(2, 4, 6);
const [near, match, window] = [
  [
    [0, 0, 9, 8, 7],
    [0, 9, 8, 7, 120],
    [9, 8, 7, 120, 0],
  ],
  [
    [0, 0, 1, 0, 0],
    [0, 1, 0, 0, 1],
    [1, 0, 0, 1, 0],
  ],
  [0, 0, 1],
];
const pointed = (): PointerBatch => ({
  near: tf.tensor3d([near], [1, 3, 5], "int32"),
  match: tf.tensor3d([match]),
  window: tf.tensor2d([window], [1, 3], "int32"),
});

describe("readMemories", () => {
  it("is what plain loops give: the question's CLS, and each memory token", () => {
    tf.tidy(() => {
      const { none, states } = readMemories(params, batchOf([first], { U: 3, M: 2 }), { heads });
      const expected = readInLoops(weights, first);
      expectClose(none, [expected[0]!], tolerance);
      expectClose(states, [expected.slice(3)], tolerance);
    });
  });

  it("does not see padding, of the question or of the memory, nor the other passages of a batch", () => {
    tf.tidy(() => {
      const { none, states } = readMemories(params, batchOf([first, second], { U: 5, M: 6 }), { heads });
      expect([none.shape, states.shape]).toEqual([
        [2, D],
        [2, 6, D],
      ]);
      for (const [b, one] of [first, second].entries()) {
        const expected = readInLoops(weights, one);
        expectClose(tf.slice(none, [b, 0], [1, D]), [expected[0]!], tolerance);
        const own = tf.slice(states, [b, 0, 0], [1, one.memory.length, D]);
        expectClose(own, [expected.slice(one.question.length)], tolerance);
      }
    });
  });

  it("uses the epsilon that it is given in every norm", () => {
    tf.tidy(() => {
      const { states } = readMemories(params, batchOf([first], { U: 3, M: 2 }), { heads, layerNormEps: 0.5 });
      expectClose(states, [readInLoops(weights, first, 0.5).slice(3)], tolerance);
    });
  });

  it("names the argument that has another shape than the others", () => {
    const batch = batchOf([first], { U: 3, M: 2 });
    const wrong = (changes: Partial<MemoryBatch>) => () => readMemories(params, { ...batch, ...changes }, { heads });
    expect(wrong({ questionMask: batch.memoryMask })).toThrow(
      /readMemories: questionMask must be \[1, 3\], got \[1, 2\]/,
    );
    expect(wrong({ memoryMask: batch.questionMask })).toThrow(/readMemories: memoryMask must be \[1, 2\]/);
    expect(wrong({ overlap: batch.questionMask })).toThrow(/readMemories: overlap must be \[1, 2\]/);
    expect(wrong({ memory: batch.overlap as unknown as tf.Tensor3D })).toThrow(ClaraError);
    tf.dispose(batch);
  });
});

describe("windowLogits", () => {
  it("are one number for no window and one for each", () => {
    tf.tidy(() => {
      const read = readMemories(params, batchOf([first, second], { U: 3, M: 4 }), { heads });
      const logits = windowLogits(params, read);
      expect(logits.shape).toEqual([2, 5]);
      expectClose(tf.slice(logits, [0, 0], [1, 3]), [windowsInLoops(weights, first)], tolerance);
      expectClose(tf.slice(logits, [1, 0], [1, 5]), [windowsInLoops(weights, second)], tolerance);
    });
  });
});

describe("pointerLogits", () => {
  it("are what plain loops give: of no answer, then of each token", () => {
    tf.tidy(() => {
      const read = readMemories(params, batchOf([first], { U: 3, M: 2 }), { heads });
      const logits = pointerLogits(params, words, read, pointed());
      expectClose(logits, [pointsInLoops(weights, first, { near, match, window })], tolerance);
    });
  });

  it("do not see padding, nor the other passages of a batch", () => {
    tf.tidy(() => {
      const read = readMemories(params, batchOf([second, first], { U: 4, M: 5 }), { heads });
      const pad = (rows: number[][], filler: number[]) => [...rows, filler];
      const batch: PointerBatch = {
        near: tf.tensor3d(
          [near.map((ids) => ids.toReversed()), near].map((rows) => pad(rows, [1, 2, 3, 4, 5])),
          [2, 4, 5],
          "int32",
        ),
        match: tf.tensor3d([match, match].map((rows) => pad(rows, [1, 1, 1, 1, 1]))),
        window: tf.tensor2d([3, 2, 1, 0, ...window, 4], [2, 4], "int32"),
      };
      const logits = pointerLogits(params, words, read, batch);
      expect(logits.shape).toEqual([2, 5, 2]);
      const expected = pointsInLoops(weights, first, { near, match, window });
      expectClose(tf.slice(logits, [1, 0, 0], [1, 4, 2]), [expected], tolerance);
    });
  });

  it("names the argument that has another shape than the others", () => {
    tf.tidy(() => {
      const read = readMemories(params, batchOf([first], { U: 3, M: 2 }), { heads });
      const batch = pointed();
      const wrong = (changes: Partial<PointerBatch>) => () =>
        pointerLogits(params, words, read, { ...batch, ...changes });
      const short = {
        near: tf.slice(batch.near, [0, 0, 0], [1, 3, 4]),
        match: tf.slice(batch.match, [0, 0, 0], [1, 2, 5]),
      };
      expect(wrong({ near: short.near })).toThrow(/pointerLogits: near must be \[1, 3, 5\], got \[1, 3, 4\]/);
      expect(wrong({ match: short.match })).toThrow(/pointerLogits: match must be \[1, 3, 5\], got \[1, 2, 5\]/);
      expect(wrong({ window: tf.zeros([2, 3], "int32") })).toThrow(/pointerLogits: window must be \[1, T\]/);
    });
  });
});

describe("a reader of memories", () => {
  it("sends gradients to everything that it is made of", () => {
    const batch = batchOf([first, second], { U: 3, M: 4 });
    const places: PointerBatch = {
      near: tf.tensor3d([near, near], [2, 3, 5], "int32"),
      match: tf.tensor3d([match, match]),
      window: tf.tensor2d([window, [3, 2, 0]], [2, 3], "int32"),
    };
    const [gate, ends] = [tf.randomNormal([2, 5], 0, 1, "float32", 1), tf.randomNormal([2, 4, 2], 0, 1, "float32", 2)];
    const { up, overlap, window: gating, pointer } = params;
    const inputs = [
      batch.memory,
      up.weight,
      overlap,
      gating.weight,
      pointer.wanted.weight,
      pointer.words.weight,
      pointer.match,
      pointer.none.weight,
    ];
    const loss = (...given: tf.Tensor[]): tf.Tensor => {
      const [memory, upWeight, share, gateWeight, wanted, seen, met, none] = given as [tf.Tensor3D, ...tf.Tensor2D[]];
      const reader: MemoryReaderParams = {
        ...params,
        up: { ...up, weight: upWeight! },
        overlap: share!,
        window: { ...gating, weight: gateWeight! },
        pointer: {
          wanted: { ...pointer.wanted, weight: wanted! },
          words: { ...pointer.words, weight: seen! },
          match: met!,
          none: { ...pointer.none, weight: none! },
        },
      };
      const read = readMemories(reader, { ...batch, memory }, { heads });
      return tf.add(
        tf.mean(tf.mul(windowLogits(reader, read), gate)),
        tf.mean(tf.mul(pointerLogits(reader, words, read, places), ends)),
      );
    };
    checkGradient(loss, inputs, { step: 0.01, tolerance: 5e-3 });
    tf.dispose([batch, places, gate, ends]);
  });

  it("leaks nothing", () => {
    const [batch, places] = [batchOf([first], { U: 3, M: 2 }), pointed()];
    expectNoLeaks(() => {
      const read = readMemories(params, batch, { heads });
      return { read, windows: windowLogits(params, read), points: pointerLogits(params, words, read, places) };
    });
    tf.dispose([batch, places]);
  });
});

describe("memoryReaderArrays", () => {
  it("are the tensors by our paths, linear weights of layers turned, and copies", () => {
    const arrays = memoryReaderArrays(weights, { layers: 2, width: D });
    expect(arrays["pointer.match"]).toEqual(weights["memory.pointer.match"]);
    expect(arrays["pointer.match"]!.data.buffer).not.toBe(weights["memory.pointer.match"]!.data.buffer);
    const stored = weights["memory.layer.1.intermediate.dense.weight"]!;
    expect(stored.shape).toEqual([6, 4]);
    expect(arrays["layers.1.feedForward.in.weight"]!.shape).toEqual([4, 6]);
    expect(arrays["layers.1.feedForward.in.weight"]!.data[1 * 6 + 5]).toBe(stored.data[5 * 4 + 1]);
    expect(Object.keys(arrays).filter((path) => path.startsWith("layer.") || path.startsWith("embeddings"))).toEqual(
      [],
    );
  });

  it("names each tensor that is missing", () => {
    for (const name of Object.keys(weights).filter((path) => path.startsWith("memory."))) {
      const { [name]: _, ...rest } = weights;
      expect(() => memoryReaderArrays(rest, { layers: 2, width: D }), name).toThrow(`no tensor "${name}"`);
    }
    expect(() => memoryReaderArrays(weights, { layers: 3, width: D })).toThrow(/memoryReader: .*"memory\.layer\.2\./);
    expect(() => memoryReaderArrays({}, { layers: 2, width: D })).toThrow(ClaraError);
  });
});

describe("nestMemoryReader", () => {
  it("makes tensors by path the parameters of a reader, and is not disturbed by others", () => {
    tf.tidy(() => {
      const [weight, gamma, words] = [tf.zeros([2, 3]), tf.ones([3]), tf.ones([9, 3])];
      const nested = nestMemoryReader({
        "pointer.none.weight": weight,
        "layers.1.attention.norm.gamma": gamma,
        positions: words,
        "embeddings.words": words,
      });
      expect(nested.pointer.none.weight).toBe(weight);
      expect(nested.layers[1]!.attention.norm.gamma).toBe(gamma);
      expect(nested.positions).toBe(words);
    });
  });
});
