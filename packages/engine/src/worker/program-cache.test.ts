import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { keep, recall } from "./program-cache.ts";

const folders: string[] = [];
const folder = (): string => {
  const made = mkdtempSync(join(tmpdir(), "clara-programs-"));
  folders.push(made);
  return made;
};

afterEach(() => {
  for (const made of folders.splice(0)) rmSync(made, { recursive: true });
});

describe("the cache of programs", () => {
  const program = { calls: [{ kernel: "Add", attrs: { at: Infinity } }], constants: [Float32Array.of(1, Number.NaN)] };

  it("gives back what was kept under a key, numbers that JSON lacks included", async () => {
    const cache = folder();
    await keep(cache, "encoder", program);
    expect(await recall(cache, "encoder")).toEqual(program);
    expect(await recall(cache, "decoder")).toBeUndefined();
    expect(readdirSync(cache)).toHaveLength(1); // no draft is left
  });

  it("forgets a file that is cut or altered", async () => {
    const cache = folder();
    await keep(cache, "encoder", program);
    const file = join(cache, readdirSync(cache)[0]!);
    const whole = readFileSync(file);
    writeFileSync(file, whole.subarray(0, -1));
    expect(await recall(cache, "encoder")).toBeUndefined();
    writeFileSync(
      file,
      whole.map((byte, i) => (i === 40 ? byte ^ 1 : byte)),
    );
    expect(await recall(cache, "encoder")).toBeUndefined();
    writeFileSync(file, "");
    expect(await recall(cache, "encoder")).toBeUndefined();
  });

  it("goes on without a folder that can be written", async () => {
    const file = join(folder(), "file");
    writeFileSync(file, "");
    await keep(join(file, "below"), "encoder", program);
    expect(await recall(join(file, "below"), "encoder")).toBeUndefined();
  });
});
