import type { EvaluationRecord } from "@clara/evaluation";
import { describe, expect, it } from "vitest";
import { compareRuns, readEarlierRun } from "./compare-runs.ts";
import type { Outcome } from "./evaluate.ts";

const record = (id: string, answers: string[], answerable = true): EvaluationRecord => ({
  id,
  question: `question ${id}?`,
  answers,
  answerable,
});

const records = [record("1", ["60 days", "two months"]), record("2", ["Paris"]), record("3", [], false)];

/** Only what a comparison reads of an answer. */
function outcome(record: EvaluationRecord, said: string | null): Outcome {
  return { record, answer: { answer: said } as Outcome["answer"], ranked: [] };
}

const line = (id: string, prediction: string): string =>
  JSON.stringify({ id, question: `question ${id}?`, answers: [], prediction, refused: false });

describe("compareRuns", () => {
  it("takes differences question by question over the answerable ones, a refusal being an empty answer", async () => {
    const earlier = await readEarlierRun([line("2", "London"), "", line("1", "60 days")], "before.jsonl", records);
    const now = [outcome(records[0]!, "two months"), outcome(records[1]!, "Paris"), outcome(records[2]!, "Rome")];
    const { n, em, f1, f1Any } = compareRuns(now, earlier)!;
    // The first: by its first answer worse than before, by the best of its answers as good.
    expect([n, em.difference, f1.difference, f1Any.difference]).toEqual([2, 0, 0, 0.5]);
    expect(f1Any.interval).toEqual([0, 1]);
    const refused = compareRuns([outcome(records[0]!, null), outcome(records[1]!, "London")], earlier)!;
    expect(refused.em.difference).toBe(-0.5);
  });

  it("is null where no question is answerable", async () => {
    expect(compareRuns([outcome(records[2]!, null)], new Map())).toBeNull();
  });
});

describe("readEarlierRun", () => {
  it.each([
    [
      "a line that is no prediction",
      ['{"id": "1"}'],
      /before.jsonl line 1: needs the "id", "question" and "prediction"/,
    ],
    ["a line that is no JSON", ["{"], /before.jsonl line 1: needs/],
    ["null", ["null"], /before.jsonl line 1: needs/],
    ["a question that was not asked", [line("1", "60 days")], /has no prediction for record 2 \("question 2\?"\)/],
  ])("names %s", async (_, lines, message) => {
    const failed = readEarlierRun(lines, "before.jsonl", records);
    await expect(failed).rejects.toThrow(message);
    await expect(failed).rejects.toMatchObject({ code: "input" });
  });
});
