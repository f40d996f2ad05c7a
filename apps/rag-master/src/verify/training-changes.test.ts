import { describe, expect, it } from "vitest";
import { createChecks } from "./check.ts";
import { type Changes, compareChanges } from "./training-changes.ts";
import type { TrainingFile, TrainingRun } from "./training-run.ts";

const json = { args: { learning_rate: 1 } } as TrainingFile;
const path = "decoder_adapter/x.lora_A.weight";
const array = (...data: number[]) => ({ shape: [data.length], data: Float32Array.from(data) });
/** A run that began with zeros, or with other numbers, and ended with these. */
const ended = (after: readonly number[], before: readonly number[] = after.map(() => 0)): Changes => ({
  run: { after: new Map([[2, { [path]: array(...after) }]]) } as unknown as TrainingRun,
  before: { [path]: array(...before) },
});
async function compare(ours: number[], recorded: number[], nudged: () => Promise<Changes>) {
  const checks = createChecks();
  const file = { [`step2/${path}`]: array(...recorded) };
  await compareChanges("training/x", { json, recorded: file, changes: ended(ours), nudged }, checks);
  return checks.list[0]!;
}
const never = (): never => {
  throw new Error("is not needed");
};

describe("compareChanges", () => {
  it("compares the change of each number with the learning rate", async () => {
    expect(await compare([0.5, -1], [0.54, -1], never)).toMatchObject({
      ...{ name: "training/x/step2/decoder_adapter", passed: true, tolerance: 0.05 },
    });
  });

  it("fails a number that stays where it is when the adapters are nudged", async () => {
    const found = await compare([0.5, -1, 0], [0.5, -1, 0.4], async () => ended([1.5, -0.01, 1], [1, 0.99, 1]));
    expect(found).toMatchObject({ passed: false, reason: expect.stringContaining("at [2] expected 0.4") });
  });

  it("leaves out one that moves then: a gradient of rounding alone can take it anywhere", async () => {
    const nudged = async (): Promise<Changes> => ended([1.5, -0.01, 0.7], [1, 0.99, 1]);
    expect(await compare([0.5, -1, 0], [0.5, -1, 0.4], nudged)).toMatchObject({ passed: true });
    // Not the others, and not many.
    expect(await compare([0.5, -1, 0], [0.6, -1, 0.4], nudged)).toMatchObject({ passed: false });
    const many = Array<number>(300).fill(0);
    const four = many.map((_, i) => (i < 4 ? 0.4 : 0));
    expect(await compare(many, four, async () => ended(four))).toMatchObject({ passed: false });
    expect(await compare(many, four.with(3, 0), async () => ended(four))).toMatchObject({ passed: true });
  });
});
