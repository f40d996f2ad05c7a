import { appendFileSync, readFileSync, writeFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type LogEntry, openLog, readLog } from "./training-log.ts";

let folder = "";
let path = "";
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "clara-log-"));
  path = join(folder, "log.jsonl");
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const entry = (step: number): LogEntry => ({
  step,
  loss: 1 / step,
  norm: 0.5,
  learningRate: 1e-4,
  tokens: 10,
  examples: 2,
  seconds: 0.25,
  measures: { accuracy: 0.5 },
});
const written = (...steps: number[]): void => {
  const log = openLog(path, 0);
  for (const step of steps) log.append(entry(step));
  log.close();
};

describe("the log", () => {
  it("has one object a line, and comes back as it was", () => {
    written(1, 2);
    expect(readFileSync(path, "utf8").split("\n")).toHaveLength(3);
    expect(readLog(path)).toEqual([entry(1), entry(2)]);
    expect(Object.keys(JSON.parse(readFileSync(path, "utf8").split("\n")[0]!))).toEqual(Object.keys(entry(1)));
  });

  it("drops lines past the checkpoint's step when a run goes on", () => {
    written(1, 2, 3, 4, 5);
    const log = openLog(path, 3);
    expect(log.entries.map(({ step }) => step)).toEqual([1, 2, 3]);
    expect(readLog(path)).toHaveLength(3);
    log.append(entry(4));
    log.sync();
    log.close();
    expect(readLog(path).map(({ step }) => step)).toEqual([1, 2, 3, 4]);
  });

  it("drops half a line that was being written when the machine stopped", () => {
    written(1, 2);
    appendFileSync(path, '{"step":3,"lo');
    const log = openLog(path, 3);
    log.append(entry(3));
    log.close();
    expect(readLog(path)).toEqual([entry(1), entry(2), entry(3)]);
  });

  it("begins anew at step 0", () => {
    writeFileSync(path, "anything\n");
    written(1);
    expect(readLog(path)).toEqual([entry(1)]);
  });
});
