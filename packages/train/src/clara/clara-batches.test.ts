import { describe, expect, it } from "vitest";
import type { TrainingBatch } from "../train-steps.ts";
import { type ClaraBatchesOptions, claraBatches, claraPart } from "./clara-batches.ts";
import { tinyExamples } from "./tiny-clara.testing.ts";

const shape = { memoryTokens: 2, firstMemoryId: 12 };
const row = (...text: number[]): number[] => [14, 1, ...text, 2, 12, 13];
const examples = [
  { id: "a", documents: [row(5)], prompt: [1, 12, 13, 15, 7, 2], answerStart: 4 },
  { id: "b", documents: [row(6, 6)], prompt: [1, 12, 13, 15, 3, 8, 9, 2], answerStart: 5 },
];

describe("claraPart", () => {
  it("pads rows on the left, and finds the answers' tokens with the places before them", () => {
    const { documents, documentMask, prompt, promptMask, rows, targets, step } = claraPart(examples, {
      padId: 0,
      step: 7,
    });
    expect(documents).toEqual({ data: Int32Array.of(0, ...row(5), ...row(6, 6)), shape: [2, 1, 7] });
    expect(Array.from(documentMask!.data)).toEqual([0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1]);
    expect(prompt).toEqual({
      data: Int32Array.of(0, 0, ...examples[0]!.prompt, ...examples[1]!.prompt),
      shape: [2, 8],
    });
    expect(Array.from(promptMask!.data).slice(0, 4)).toEqual([0, 0, 1, 1]);
    expect([rows!.data, targets!.data]).toEqual([Int32Array.of(5, 6, 12, 13, 14), Int32Array.of(7, 2, 8, 9, 2)]);
    expect(step).toEqual({ data: Int32Array.of(7), shape: [] });
  });

  it("fills up with masked documents where there are questions to choose among them", () => {
    const [more, one] = tinyExamples(2, { documents: 3, placed: 1, asked: true });
    const part = claraPart([more!, { ...one!, documents: one!.documents.slice(0, 1) }]);
    expect(part.documents!.shape.slice(0, 2)).toEqual([2, 3]);
    expect(part.candidates).toEqual({ data: Int32Array.of(1, 1, 1, 1, 0, 0), shape: [2, 3] });
    const columns = part.documents!.shape[2]!;
    expect(Array.from(part.documentMask!.data.slice(4 * columns))).toEqual(Array(2 * columns).fill(0));
    expect(part.question!.shape).toEqual([2, 6]);
  });

  it("names the example that does not go with the others", () => {
    const [asked] = tinyExamples(1, { asked: true });
    expect(() => claraPart([asked!, examples[0]!])).toThrow("example a: it has no question, and others have");
    const two = { ...examples[1]!, documents: [row(5), row(6)] };
    expect(() => claraPart([examples[0]!, two])).toThrow("example a: it has 1 documents, another of its batch 2");
  });
});

describe("claraBatches", () => {
  const take = (options: Partial<ClaraBatchesOptions>, from = { epoch: 0, cursor: 0 }, count = 5): TrainingBatch[] => {
    const all = { examples: tinyExamples(7), shape, placed: 1, seed: 3, batchSize: 4, partSize: 2, ...options };
    const batches: TrainingBatch[] = [];
    for (const batch of claraBatches(all)(from) as Iterable<TrainingBatch>) {
      if (batches.push(batch) === count) break;
    }
    return batches;
  };

  it("cuts batches into parts whose losses are averaged, and leaves out what fills no batch", () => {
    const [first, second] = take({});
    expect([first!.parts.length, first!.divisor, first!.examples, first!.next]).toEqual([
      2,
      2,
      4,
      { epoch: 0, cursor: 4 },
    ]);
    expect(second!.next).toEqual({ epoch: 1, cursor: 4 });
    expect(new Set(first!.ids).size).toBe(4);
    const part = (batch: TrainingBatch) => batch.parts.map(({ step }) => step!.data[0]);
    expect([...part(first!), ...part(second!)]).toEqual([0, 1, 4, 5]);
  });

  it("has another order each epoch, the same for the same seed, and goes on from anywhere", () => {
    const ids = (batches: TrainingBatch[]) => batches.map(({ ids }) => ids.join());
    const all = ids(take({}));
    expect(new Set(all).size).toBe(5);
    expect(ids(take({}))).toEqual(all);
    expect(ids(take({}, { epoch: 2, cursor: 0 }, 3))).toEqual(all.slice(2));
    expect(ids(take({ seed: 4 }))).not.toEqual(all);
  });

  it.each([
    [{ answerStart: 6 }, "its answer starts at 6 of 6 tokens; was the prompt cut?"],
    [{ answerStart: 0 }, "its answer starts at 0 of 6 tokens"],
    [{ documents: [] }, "it has 0 documents, and its prompt needs 1"],
    [{ documents: [], question: row(3) }, "it has 0 documents, and its prompt needs 1 or more"],
    [{ prompt: [1, 3, 7, 2], answerStart: 2 }, "its prompt must have one run of 2 memory tokens; was it cut"],
    [{ prompt: [1, 12, 13, 15, 12, 13, 7, 2] }, "its prompt must have one run of 2 memory tokens"],
    [{ prompt: [1, 13, 12, 15, 7, 2] }, "its prompt must have one run of 2 memory tokens"],
    [
      { documents: [row(12)] },
      "each document and question must have one run of 2 memory tokens; was it cut, or does its text name one?",
    ],
    [{ documents: [[...row(5), 2]] }, "documents and questions must end in the memory tokens"],
    [{ question: [14, 1, 5] }, "each document and question must have one run"],
  ])("names an example that cannot be used: %o", (change, message) => {
    const damaged = { ...examples[0]!, ...change };
    expect(() => take({ examples: [damaged, ...examples], batchSize: 2 })).toThrow(
      `claraBatches: example a: ${message}`,
    );
  });

  it("refuses sizes that do not fit", () => {
    expect(() => take({ partSize: 3 })).toThrow("partSize must divide batchSize");
    expect(() => take({ batchSize: 8 })).toThrow("at most the 7 examples; got 2 and 8");
    expect(() => take({ partSize: 0.5 })).toThrow("partSize must divide batchSize");
  });
});
