import { tf } from "@clara/tensor";
import { expectClose, expectNoLeaks } from "@clara/tensor/testing";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type ClaraExample, claraPart } from "./clara-batches.ts";
import { type ClaraParams, nestClara } from "./clara-params.ts";
import {
  answerLoss,
  compressDocuments,
  compressQuestions,
  endToEndLoss,
  generationLoss,
  queryLoss,
  type SelectionInputs,
  scoreDocuments,
} from "./stage-losses.ts";
import { prefixed, tensorsOf, tinyClara, tinyExamples } from "./tiny-clara.testing.ts";

const { shape, base, adapters } = tinyClara();
const inputsOf = (examples: readonly ClaraExample[]): SelectionInputs => {
  const { step: _, ...part } = claraPart(examples);
  return tensorsOf(part) as unknown as SelectionInputs;
};

let params: ClaraParams;
beforeAll(() => {
  const tensors = tensorsOf({
    ...base,
    ...prefixed("compressor.", adapters.compressor),
    ...prefixed("generator.", adapters.generator),
    ...prefixed("query.", adapters.query),
  });
  params = nestClara(tensors, shape);
});
afterAll(() => tf.dispose(params));

const asked = { documents: 3, placed: 1, asked: true };

describe("generationLoss", () => {
  it("is the answer's loss and the weighted alignment, and leaks nothing", () => {
    const inputs = inputsOf(tinyExamples(2, { documents: 2 }));
    tf.tidy(() => {
      const { loss, languageModel, alignment } = generationLoss(params, inputs, shape, { alignmentWeight: 0.5 });
      expectClose(loss, tf.add(languageModel, tf.mul(alignment, 0.5)));
      expect(alignment.dataSync()[0]).toBeGreaterThan(0);
    });
    expectNoLeaks(() => generationLoss(params, inputs, shape));
    tf.dispose(inputs);
  });

  it("is the mean of what examples with equally long answers have alone", () => {
    tf.tidy(() => {
      const [a, b] = tinyExamples(2) as [ClaraExample, ClaraExample];
      const of = (...examples: ClaraExample[]): tf.Tensor => generationLoss(params, inputsOf(examples), shape).loss;
      expectClose(of(a, b), tf.div(tf.add(of(a), of(b)), 2), { absolute: 1e-5 });
    });
  });

  it("says which role has no adapter, and which input has another shape", () => {
    tf.tidy(() => {
      const inputs = inputsOf(tinyExamples(1));
      const { generator: _, ...others } = params.adapters;
      expect(() => generationLoss({ ...params, adapters: others }, inputs, shape)).toThrow(
        'there is no adapter for the role "generator"',
      );
      expect(() => generationLoss(params, { ...inputs, documentMask: tf.ones([1, 1, 2]) }, shape)).toThrow(
        "clara: documentMask must be [1, 1, 6], got [1, 1, 2]",
      );
    });
  });
});

describe("answerLoss", () => {
  it("is the generator's part, of memories that may be moved, and leaks nothing", () => {
    const inputs = inputsOf(tinyExamples(2));
    tf.tidy(() => {
      const { memories } = compressDocuments(params, inputs, shape);
      const of = (given: tf.Tensor): tf.Scalar => answerLoss(params, inputs, given as tf.Tensor4D, shape);
      expectClose(of(memories), generationLoss(params, inputs, shape).languageModel);
      const gradient = tf.grad(of)(memories);
      const moved: tf.Tensor = tf.sub(memories, tf.mul(gradient, 0.01));
      expect(tf.max(tf.abs(gradient)).dataSync()[0]).toBeGreaterThan(0);
      expect(of(moved).dataSync()[0]).toBeLessThan(of(memories).dataSync()[0]!);
      expect(() => of(tf.zeros([2, 1, 2, 4]))).toThrow("placeMemories: memories must be [2, ");
    });
    const memories = tf.zeros<tf.Rank.R4>([2, 1, shape.memoryTokens, shape.decoder.width]);
    expectNoLeaks(() => answerLoss(params, inputs, memories, shape));
    tf.dispose([...Object.values(inputs), memories]);
  });

  it("has the memory tokens' rows among its classes as they are trained, where the head is the table of words", () => {
    tf.tidy(() => {
      const inputs = inputsOf(tinyExamples(2));
      const { memories } = compressDocuments(params, inputs, shape);
      const { head, ...tied } = params.base;
      const of = (base: ClaraParams["base"], rows?: tf.Tensor2D): tf.Scalar =>
        answerLoss({ ...params, base, ...(rows && { memoryRows: rows }) }, inputs, memories, shape);
      const [first, D] = [shape.firstMemoryId, shape.decoder.width];
      const words = tied.words as tf.Tensor2D;
      const rows = tf.slice(words, [first, 0], [2, D]);
      const moved: tf.Tensor2D = tf.add(rows, tf.reshape(tf.sin(tf.range(0, 2 * D)), [2, D]));
      const behind = tf.slice(words, [first + 2, 0], [words.shape[0] - first - 2, D]);
      const table = tf.concat2d([tf.slice(words, [0, 0], [first, D]), moved, behind], 0);
      expectClose(of(tied, rows), of(tied));
      // Memories stand where the prompts have these tokens: the table is read as the head alone.
      expectClose(of(tied, moved), of({ ...tied, words: table }), { absolute: 1e-5 });
      expect(Math.abs(of(tied, moved).dataSync()[0]! - of(tied).dataSync()[0]!)).toBeGreaterThan(0.01);
      expect(head).toBeDefined();
      expectClose(of(params.base, moved), of(params.base));
    });
  });
});

describe("compressQuestions", () => {
  it("gives what scoreDocuments compares with documents, and leaks nothing", () => {
    const inputs = inputsOf(tinyExamples(2, asked));
    tf.tidy(() => {
      const flat = (x: tf.Tensor, rows: number): tf.Tensor2D => tf.reshape(x, [rows, -1]);
      const { scores, memories } = scoreDocuments(params, inputs, shape);
      const [query] = tf.unstack(flat(compressQuestions(params, inputs, shape), 2));
      const [documents] = tf.unstack(tf.reshape(memories, [2, 3, -1]));
      const lengths = tf.mul(tf.norm(documents!, 2, 1), tf.norm(query!));
      const cosines = tf.div(tf.sum(tf.mul(documents!, query!), 1), lengths);
      expectClose(cosines, tf.reshape(tf.slice(scores, [0, 0], [1, 3]), [3]), { absolute: 1e-5 });
    });
    expectNoLeaks(() => compressQuestions(params, inputs, shape));
    tf.dispose(inputs);
  });
});

describe("endToEndLoss", () => {
  it("never selects a row that only fills up, and reads the others as if it were not there", () => {
    tf.tidy(() => {
      const [example, other] = tinyExamples(2, asked) as [ClaraExample, ClaraExample];
      const two = { ...example, documents: example.documents.slice(0, 2) };
      const of = (inputs: SelectionInputs) => endToEndLoss(params, inputs, shape, { selected: 1 });
      const alone = of(inputsOf([two]));
      const filled = inputsOf([two, other]);
      const both = of(filled);
      const picked = (both.indices.arraySync() as number[][])[0];
      expect(picked).toEqual((alone.indices.arraySync() as number[][])[0]);
      const { scores } = scoreDocuments(params, filled, shape);
      const wanted = scoreDocuments(params, inputsOf([two]), shape).scores;
      expectClose(tf.slice(scores, [0, 0], [1, 2]), wanted, { absolute: 1e-5 });
      expectClose(both.loss, tf.div(tf.add(alone.loss, of(inputsOf([other])).loss), 2), { absolute: 1e-5 });
    });
  });

  it("leaks nothing, and refuses to select more documents than there are", () => {
    const inputs = inputsOf(tinyExamples(2, asked));
    expectNoLeaks(() => endToEndLoss(params, inputs, shape, { selected: 1 }));
    expect(() => endToEndLoss(params, inputs, shape, { selected: 4 })).toThrow("k must be a whole number from 1 to 3");
    tf.dispose(inputs);
  });
});

describe("queryLoss", () => {
  it("falls as the questions' own documents rise, and leaks nothing", () => {
    const inputs = inputsOf(tinyExamples(2, asked));
    const own = (first: number): tf.Tensor2D =>
      tf.tensor2d([0, 1, 2].flatMap((i) => Number(i === first)).concat([0, 0, 0]), [2, 3], "int32");
    tf.tidy(() => {
      const [ranked] = tf.topk(scoreDocuments(params, inputs, shape).scores, 3).indices.arraySync() as number[][];
      const losses = ranked!.map((i) => queryLoss(params, inputs, own(i), shape).dataSync()[0]!);
      expect(losses).toEqual(losses.toSorted((a, b) => a - b));
    });
    const positives = own(0);
    expectNoLeaks(() => queryLoss(params, inputs, positives, shape));
    tf.dispose([inputs, positives]);
  });
});
