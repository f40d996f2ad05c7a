import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { writeReferenceCheckpoint } from "@clara/train";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { MissingFile, openFolder } from "./folder.ts";
import { createSession } from "./session.ts";

let home: string;
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), "clara-session-"));
});
afterEach(() => rmSync(home, { recursive: true, force: true }));

const matrix = (...shape: [number, number]) => ({ shape, data: new Float32Array(shape[0] * shape[1]) });

function saveCheckpoint(path: string, rate: number, dtype: "F32" | "BF16"): void {
  const adapter = { "x.lora_A.weight": matrix(1, 2), "x.lora_B.weight": matrix(2, 1) };
  const table = matrix(4 + Math.floor(8 / rate) + 3, 2);
  const files = writeReferenceCheckpoint(
    {
      config: { stage: "compression", documentTokens: 8, rate, rank: 1, documents: 1 },
      adapters: { compressor: adapter, generator: adapter },
      tables: { "model.embed_tokens.weight": table, "lm_head.weight": table },
    },
    { base: "b", dtype },
  );
  const folder = join(home, "checkpoints", path);
  mkdirSync(folder, { recursive: true });
  for (const [name, bytes] of Object.entries(files)) writeFileSync(join(folder, name), bytes);
}

const find = (traits: { memoryTokens?: number; name?: string } = {}): string =>
  createSession(openFolder(home), {
    signal: undefined,
    engine: () => Promise.reject(new Error("needs no engine")),
  }).findCheckpoint({ stage: "stage1", name: "", ...traits });

describe("findCheckpoint", () => {
  it("goes by memory tokens, by the rate in the file's name, and else by the rate that most have", () => {
    saveCheckpoint("a", 8, "F32");
    saveCheckpoint("b", 4, "F32");
    saveCheckpoint("c", 4, "F32");
    expect(find({ memoryTokens: 1 })).toBe("checkpoints/a");
    expect(find({ name: "stage1-qa-rate8" })).toBe("checkpoints/a");
    expect(find()).toBe("checkpoints/b");
    expect(() => find({ memoryTokens: 5 })).toThrow(MissingFile);
  });

  it("takes one in 16 bits only where there is no other", () => {
    saveCheckpoint("a", 4, "BF16");
    expect(find()).toBe("checkpoints/a");
    saveCheckpoint("b", 8, "F32");
    expect(find()).toBe("checkpoints/b");
    expect(() => find({ memoryTokens: 2 })).toThrow(MissingFile);
  });
});
