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
const asking = (vector: Float32Array, text = "And this?") => ({ vector, text });
const none = () => 0;
const read = (fragments: ReturnType<typeof chooseWindows>) => fragments.map(({ start, end }) => text.slice(start, end));

describe("chooseWindows", () => {
  it("takes the window that the memory points at, with one neighbour on each side", () => {
    expect(read(chooseWindows(asking(along(2)), [evidence], none, { windows: 1, neighbours: 1 }))).toEqual([
      "1111111111 2222222222 3333333333",
    ]);
  });

  it("has no neighbour beyond the ends", () => {
    expect(read(chooseWindows(asking(along(0)), [evidence], none, { windows: 1, neighbours: 1 }))).toEqual([
      "0000000000 1111111111",
    ]);
    expect(read(chooseWindows(asking(along(4)), [evidence], none, { windows: 1, neighbours: 1 }))).toEqual([
      "3333333333 4444444444",
    ]);
  });

  it("merges windows that touch, and gives them in the text's order", () => {
    const query = Float32Array.from([0.6, 0, 0, 0, 0.8]);
    expect(read(chooseWindows(asking(query), [evidence], none, { windows: 2, neighbours: 0 }))).toEqual([
      "0000000000",
      "4444444444",
    ]);
    expect(read(chooseWindows(asking(query), [evidence], none, { windows: 2, neighbours: 1 }))).toEqual([
      "0000000000 1111111111",
      "3333333333 4444444444",
    ]);
    expect(chooseWindows(asking(query), [evidence], none, { windows: 2, neighbours: 2 })).toEqual([
      { evidence: 0, start: 0, end: 54 },
    ]);
  });

  it("stops at the tokens that may be read, and reads the best window whatever its size", () => {
    const query = Float32Array.from([0.5, 0, 0, 0.4, 0.8]);
    const options = { windows: 3, neighbours: 0 };
    expect(read(chooseWindows(asking(query), [evidence], none, { ...options, maxTokens: 4 }))).toEqual([
      "0000000000",
      "4444444444",
    ]);
    expect(read(chooseWindows(asking(query), [evidence], none, { ...options, maxTokens: 1 }))).toEqual(["4444444444"]);
    // Windows 4 and 3 share a neighbour, which counts once: 3, 4 and then 2.
    expect(
      read(
        chooseWindows(asking(Float32Array.from([0, 0, 0, 0.6, 0.8])), [evidence], none, {
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
    expect(read(chooseWindows(asking(query), [evidence], overlap, { windows: 1, neighbours: 0 }))).toEqual([
      "3333333333",
    ]);
  });

  it("chooses over all evidence together, and takes the earlier of equals", () => {
    const second = { ...evidence, id: "b" };
    expect(chooseWindows(asking(along(1)), [evidence, second], none, { windows: 1, neighbours: 0 })).toEqual([
      { evidence: 0, start: 11, end: 21 },
    ]);
    const weak = { ...evidence, memory: { ...memory, vectors: memory.vectors.map((v, i) => (i === 6 ? -v : v)) } };
    expect(chooseWindows(asking(along(1)), [weak, second], none, { windows: 1, neighbours: 0 })).toEqual([
      { evidence: 1, start: 11, end: 21 },
    ]);
  });

  it("offers nothing for windows that cover the title only, for zero vectors, and without a memory", () => {
    const title = { ...memory, spans: Uint32Array.from([0, 0, 0, 0, 22, 32, 33, 43, 44, 54]) };
    expect(
      read(chooseWindows(asking(along(2)), [{ ...evidence, memory: title }], none, { windows: 1, neighbours: 1 })),
    ).toEqual(["2222222222 3333333333"]);
    const { memory: _, ...bare } = evidence;
    expect(chooseWindows(asking(along(0)), [bare], none)).toEqual([]);
    const zero = { ...memory, vectors: new Float32Array(25) };
    expect(
      chooseWindows(asking(along(0)), [{ ...evidence, memory: zero }], none, { windows: 1, neighbours: 0 }),
    ).toEqual([{ evidence: 0, start: 0, end: 10 }]);
  });

  it("lets a reader of memories move the choice, by how much likelier the answer is there than nowhere", () => {
    const query = Float32Array.from([0.9, 0, 0, 0.8, 0]);
    const logits = Float32Array.from([1, 0, 0, 2.5, 0]);
    const one = { windows: 1, neighbours: 0 };
    const choose = (pointerWeight: number, given = logits) =>
      read(chooseWindows(asking(query), [evidence], none, { ...one, pointerWeight }, [{ none: 3, logits: given }]));
    // 0.9 + w·(1 - 3) or 0.8 + w·(2.5 - 3): even at w = 0.1 / 1.5.
    expect(choose(0.06)).toEqual(["0000000000"]);
    expect(choose(0.07)).toEqual(["3333333333"]);
    expect(choose(0)).toEqual(["0000000000"]);
    // By default it weighs nothing, however sure.
    const sure = [{ none: 3, logits: logits.with(3, 99) }];
    expect(read(chooseWindows(asking(query), [evidence], none, one, sure))).toEqual(["0000000000"]);
  });

  it("weighs each evidence against its own reading, and leaves those that were not read as they are", () => {
    const second = { ...evidence, id: "b" };
    const logits = new Float32Array(5);
    const one = { windows: 1, neighbours: 0, pointerWeight: 0.05 };
    const choose = (...pointed: { none: number; logits: Float32Array }[]) =>
      chooseWindows(asking(along(1)), [evidence, second], none, one, pointed);
    // Equal but for what none of the windows is worth.
    expect(choose({ none: 2, logits }, { none: 1, logits })).toMatchObject([{ evidence: 1 }]);
    expect(choose({ none: 1, logits }, { none: 2, logits })).toMatchObject([{ evidence: 0 }]);
    expect(choose({ none: 0.5, logits })).toMatchObject([{ evidence: 1 }]);
    expect(choose({ none: -0.5, logits })).toMatchObject([{ evidence: 0 }]);
  });

  it("lifts windows with a number or a name where the question asks for one", () => {
    const named = "sleeping in tents at night they were at Kilmarrin then in 2011 and they";
    const places = [0, 17, 18, 34, 37, 49, 50, 62, 63, 71];
    const asked = { ...evidence, text: named, memory: { ...memory, spans: Uint32Array.from(places) } };
    const query = Float32Array.from([0.5, 0, 0.47, 0.47, 0]);
    const opened = (question: string, kindWeight?: number) =>
      chooseWindows(asking(query, question), [asked], none, {
        windows: 1,
        neighbours: 0,
        ...(kindWeight !== undefined && { kindWeight }),
      }).map(({ start, end }) => named.slice(start, end));
    expect(opened("Why were they there?")).toEqual(["sleeping in tents"]);
    expect(opened("Where were they?")).toEqual(["at Kilmarrin"]);
    expect(opened("When were they there?")).toEqual(["then in 2011"]);
    expect(opened("When were they there?", 0)).toEqual(["sleeping in tents"]);
  });
});
