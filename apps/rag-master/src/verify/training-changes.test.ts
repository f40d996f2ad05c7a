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
function compare(ours: number[], recorded: number[], before?: number[]) {
  const checks = createChecks();
  const file = { [`step2/${path}`]: array(...recorded) };
  compareChanges("training/x", { json, recorded: file, changes: ended(ours, before) }, checks);
  return checks.list[0]!;
}

describe("compareChanges", () => {
  it("compares the change of each number with the learning rate", () => {
    expect(compare([0.5, -1], [0.54, -1])).toMatchObject({
      ...{ name: "training/x/step2/decoder_adapter", passed: true, tolerance: 0.05 },
    });
    expect(compare([0.5, -1], [0.54, -1], [100, -100])).toMatchObject({ passed: true });
  });

  it("fails for one number that changes otherwise, and names it", () => {
    const found = compare([0.5, -1, 0], [0.5, -1, 0.4]);
    expect(found).toMatchObject({ passed: false, reason: expect.stringContaining("at [2] expected 0.4") });
  });

  it("fails for what was recorded and is not trained", () => {
    const checks = createChecks();
    const file = { "step3/decoder_adapter/y.lora_A.weight": array(1) };
    compareChanges("training/x", { json, recorded: file, changes: ended([1]) }, checks);
    expect(checks.list[0]).toMatchObject({ passed: false, reason: expect.stringContaining("is not trained") });
  });
});
