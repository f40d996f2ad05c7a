import type { Evidence } from "@clara/core";
import { describe, expect, it } from "vitest";
import { chooseWindows } from "./windows.ts";

// Five windows of ten characters; window m points along axis m, so that a unit question along axis m has cosine 1 there.
const text = "0000000000 1111111111 2222222222 3333333333 4444444444";
const memory = {
  rate: 2,
  count: 5,
  width: 5,
  vectors: Float32Array.from([1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 1]),
  tokens: Uint16Array.from([2, 2, 2, 2, 2]),
  spans: Uint32Array.from([0, 10, 11, 21, 22, 32, 33, 43, 44, 54]),
};
const evidence: Evidence = { id: "a", title: "", text, memory, score: 1 };
const along = (axis: number) => Float32Array.from([0, 1, 2, 3, 4].map((d) => (d === axis ? 1 : 0)));
const none = () => 0;
const read = (fragments: ReturnType<typeof chooseWindows>) => fragments.map(({ start, end }) => text.slice(start, end));

describe("chooseWindows", () => {
  it("takes the window that the memory points at, with one neighbour on each side", () => {
    expect(read(chooseWindows(along(2), [evidence], none, { windows: 1, neighbours: 1 }))).toEqual([
      "1111111111 2222222222 3333333333",
    ]);
  });

  it("has no neighbour beyond the ends", () => {
    expect(read(chooseWindows(along(0), [evidence], none, { windows: 1, neighbours: 1 }))).toEqual([
      "0000000000 1111111111",
    ]);
    expect(read(chooseWindows(along(4), [evidence], none, { windows: 1, neighbours: 1 }))).toEqual([
      "3333333333 4444444444",
    ]);
  });

  it("merges windows that touch, and gives them in the text's order", () => {
    const query = Float32Array.from([0.6, 0, 0, 0, 0.8]);
    expect(read(chooseWindows(query, [evidence], none, { windows: 2, neighbours: 0 }))).toEqual([
      "0000000000",
      "4444444444",
    ]);
    expect(read(chooseWindows(query, [evidence], none, { windows: 2, neighbours: 1 }))).toEqual([
      "0000000000 1111111111",
      "3333333333 4444444444",
    ]);
    expect(chooseWindows(query, [evidence], none, { windows: 2, neighbours: 2 })).toEqual([
      { evidence: 0, start: 0, end: 54 },
    ]);
  });

  it("stops at the tokens that may be read, and reads the best window whatever its size", () => {
    const query = Float32Array.from([0.5, 0, 0, 0.4, 0.8]);
    const options = { windows: 3, neighbours: 0 };
    expect(read(chooseWindows(query, [evidence], none, { ...options, maxTokens: 4 }))).toEqual([
      "0000000000",
      "4444444444",
    ]);
    expect(read(chooseWindows(query, [evidence], none, { ...options, maxTokens: 1 }))).toEqual(["4444444444"]);
    // Windows 4 and 3 share a neighbour, which counts once: 3, 4 and then 2.
    expect(
      read(
        chooseWindows(Float32Array.from([0, 0, 0, 0.6, 0.8]), [evidence], none, {
          windows: 2,
          neighbours: 1,
          maxTokens: 6,
        }),
      ),
    ).toEqual(["2222222222 3333333333 4444444444"]);
  });

  it("lets the question's words decide between windows of equal cosine", () => {
    const query = Float32Array.from([0.5, 0.5, 0.5, 0.5, 0]);
    const overlap = (window: string) => (window.includes("3") ? 1 : 0);
    expect(read(chooseWindows(query, [evidence], overlap, { windows: 1, neighbours: 0 }))).toEqual(["3333333333"]);
  });

  it("chooses over all evidence together, and takes the earlier of equals", () => {
    const second = { ...evidence, id: "b" };
    expect(chooseWindows(along(1), [evidence, second], none, { windows: 1, neighbours: 0 })).toEqual([
      { evidence: 0, start: 11, end: 21 },
    ]);
    const weak = { ...evidence, memory: { ...memory, vectors: memory.vectors.map((v, i) => (i === 6 ? -v : v)) } };
    expect(chooseWindows(along(1), [weak, second], none, { windows: 1, neighbours: 0 })).toEqual([
      { evidence: 1, start: 11, end: 21 },
    ]);
  });

  it("offers nothing for windows that cover the title only, for zero vectors, and without a memory", () => {
    const title = { ...memory, spans: Uint32Array.from([0, 0, 0, 0, 22, 32, 33, 43, 44, 54]) };
    expect(
      read(chooseWindows(along(2), [{ ...evidence, memory: title }], none, { windows: 1, neighbours: 1 })),
    ).toEqual(["2222222222 3333333333"]);
    const { memory: _, ...bare } = evidence;
    expect(chooseWindows(along(0), [bare], none)).toEqual([]);
    const zero = { ...memory, vectors: new Float32Array(25) };
    expect(chooseWindows(along(0), [{ ...evidence, memory: zero }], none, { windows: 1, neighbours: 0 })).toEqual([
      { evidence: 0, start: 0, end: 10 },
    ]);
  });
});
