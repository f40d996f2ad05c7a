import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { defaultConfig } from "./config/index.ts";
import { importTiny } from "./import/import-tiny.testing.ts";
import { tinyAdapters } from "./import/tiny-checkpoint.testing.ts";
import { loadModel, type Model } from "./model.ts";
import { wordTable } from "./word-table.ts";

const folder = mkdtempSync(join(tmpdir(), "clara-words-"));
const at = (name: string): string => join(folder, name);
const question = "where is the mill";
const load = (name: string): Promise<Model> =>
  loadModel({ ...defaultConfig(), compression: { enabled: true, model: at(name), rate: 128 } }, { threads: 1 });

let model: Model;
beforeAll(async () => {
  await importTiny(folder, "clara");
  model = await load("clara");
});
afterAll(async () => {
  await model.dispose();
  rmSync(folder, { recursive: true });
});

describe("what the vectors of a question are near to", () => {
  const near = async (of: Model, table: "output" | "input") => {
    const { states } = await of.compressor.query(question);
    return of.lens!.near(states, { top: 5, table });
  };

  it("is words, best first, and never an added or special token", async () => {
    const { states } = await model.compressor.query(question);
    for (const table of ["output", "input"] as const) {
      const lists = await near(model, table);
      expect(lists.map(({ length }) => length)).toEqual([5, 5]);
      for (const list of lists) {
        expect(list.map(({ score }) => score)).toEqual(list.map(({ score }) => score).sort((a, b) => b - a));
        expect(list.every(({ id, word }) => id > 2 && word !== "")).toBe(true);
      }
      const { id, score } = lists[1]![0]!;
      const row = wordTable(join(at("clara"), "base.safetensors"), table, ({ rows }) => rows(id, id + 1));
      expect(row.reduce((sum, x, d) => sum + x * states[row.length + d]!, 0)).toBeCloseTo(score, 4);
    }
    // Three special tokens stand before the others, five added ones behind them.
    const all = model.lens!.near(states, { top: 1000, table: "output" })[0]!.map(({ id }) => id);
    expect(all.toSorted((a, b) => a - b)).toEqual(Array.from({ length: all.length }, (_, i) => 3 + i));
    const rows = wordTable(join(at("clara"), "base.safetensors"), "output", ({ shape }) => shape[0]);
    expect(all).toHaveLength(rows - 3 - 5);
    expect(await near(model, "input")).not.toEqual(await near(model, "output"));
  });

  it("is read from tables in few bits, and by the compressor's adapter where there is no other", async () => {
    const adapters = tinyAdapters(["compressor", "generator"]);
    for (const [precision, error] of [
      ["int8", 0.004],
      ["int4", 0.06],
    ] as const) {
      await importTiny(folder, precision, { precision, adapters });
      const rows = (name: string): Float32Array =>
        wordTable(join(at(name), "base.safetensors"), "output", ({ shape: [V], rows }) => rows(1, V));
      const [packed, whole] = [rows(precision), rows("clara")];
      expect(packed).toHaveLength(whole.length);
      expect(Math.max(...packed.map((x, i) => Math.abs(x - whole[i]!)))).toBeLessThan(error);
    }
    const without = await load("int8");
    try {
      expect([without.lens!.ownAdapter, model.lens!.ownAdapter]).toEqual([false, true]);
      expect(await near(without, "output")).toHaveLength(2);
      const [memory] = await without.compressor.compress([{ text: question }]);
      expect((await without.compressor.query(question)).states).toEqual(memory!.vectors);
    } finally {
      await without.dispose();
    }
  });
});
