import type { Evidence, Memory } from "@clara/core";
import { describe, expect, it } from "vitest";
import type { MemoryReader } from "./memory-reader.ts";
import { windowChooser } from "./window-chooser.ts";

const vectors = Float32Array.from([1, 0, 0, 1]);
/** Two windows of five characters, along the first and the second axis. */
const memory: Memory = {
  ...{ rate: 2, count: 2, width: 2, vectors },
  tokens: Uint16Array.from([2, 2]),
  spans: Uint32Array.from([0, 5, 6, 11]),
};
const evidence: Evidence[] = [
  { id: "bare", title: "", text: "no memory", score: 0.5 },
  { id: "first", title: "", text: "aaaaa bbbbb", score: 0.5, memory },
];
const query = { text: "which", vector: Float32Array.from([0, 1]), states: Float32Array.from([0, 1]) };
const options = { overlap: () => 0 };

describe("windowChooser", () => {
  it("takes the window that the question is closest to", async () => {
    const choose = windowChooser({ windows: 1, neighbours: 0 });
    expect(await choose(query, evidence, options)).toEqual([{ evidence: 1, start: 6, end: 11 }]);
  });

  it("follows a reader of memories, which is asked about evidence that has one", async () => {
    const asked: string[] = [];
    const reader: Pick<MemoryReader, "windows"> = {
      async windows(_, passages) {
        asked.push(...passages.map(({ text }) => text));
        return passages.map(() => ({ none: 0, logits: Float32Array.from([100, 0]) }));
      },
    };
    const one = { windows: 1, neighbours: 0, memories: reader as MemoryReader };
    expect(await windowChooser({ ...one, pointerWeight: 0.05 })(query, evidence, options)).toEqual([
      { evidence: 1, start: 0, end: 5 },
    ]);
    expect(asked).toEqual(["aaaaa bbbbb"]);
    // What weighs nothing is not asked for.
    expect(await windowChooser(one)(query, evidence, options)).toEqual([{ evidence: 1, start: 6, end: 11 }]);
    expect(asked).toHaveLength(1);
  });

  it("needs the question's vector", async () => {
    await expect(windowChooser()({ text: "which" }, evidence, options)).rejects.toMatchObject({ code: "option" });
  });
});
