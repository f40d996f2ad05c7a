import { tf } from "@clara/tensor";
import { expectClose, expectNoLeaks } from "@clara/tensor/testing";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type ClaraExample, claraPart } from "./clara-batches.ts";
import { type ClaraParams, nestClara } from "./clara-params.ts";
import { endToEndLoss, generationLoss, queryLoss, type SelectionInputs, scoreDocuments } from "./stage-losses.ts";
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
