import type { Memory } from "@clara/core";
import { createEngine, type Engine } from "@clara/engine";
import { bertEmbeddings } from "@clara/model";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { letters } from "./letters.testing.ts";
import { type AskedStates, type MemoryReader, type MemoryText, memoryReader } from "./memory-reader.ts";
import {
  numbers,
  type OneCase,
  pointsInLoops,
  tiny,
  tinyMemoryWeights,
  windowsInLoops,
} from "./tiny-memory-reader.testing.ts";

const { D, d, layers, heads } = tiny;
const weights = tinyMemoryWeights();
let engine: Engine;
let embeddings: ReturnType<typeof bertEmbeddings<Awaited<ReturnType<Engine["params"]>>>>;
let reader: MemoryReader;
beforeAll(async () => {
  engine = await createEngine({ prefer: "compiled", threads: 1 });
  embeddings = bertEmbeddings(engine, weights);
  reader = await open();
});
afterAll(() => engine.dispose());

const open = (on: Pick<Engine, "params" | "compile"> = engine) =>
  memoryReader(on, { weights, layers, heads, embeddings, tokenizer: letters });

/** A passage with seeded memory tokens over these spans of its text. */
function passage(text: string, spans: readonly [number, number][], seed: number, width = d): MemoryText {
  const memory: Memory = {
    rate: 2,
    count: spans.length,
    width,
    vectors: Float32Array.from({ length: spans.length * width }, numbers(seed)),
    tokens: new Uint16Array(spans.length).fill(2),
    spans: Uint32Array.from(spans.flat()),
  };
  return { text, memory };
}

const asked: AskedStates = { text: "bad?", states: Float32Array.from({ length: 3 * D }, numbers(11)) };
/** Half for windows with an "a", as words would have it. */
const overlap = (text: string): number => (text.includes("a") ? 0.5 : 0.125);

// The first window is the title's, the last the separator's: no text.
const tale = passage(
  "a bad day. It ended",
  [
    [0, 0],
    [0, 5],
    [5, 10],
    [11, 19],
    [0, 0],
  ],
  1,
);
const short = passage("dab", [[0, 3]], 2);
const silent = passage("", [[0, 0]], 3);
const bare = passage("no memory", [], 4);
const all = [tale, bare, short, silent];
/** More windows than a row has. */
const long = passage(
  "ab".repeat(70),
  Array.from({ length: 70 }, (_, m) => [2 * m, 2 * m + 2]),
  5,
);

function caseOf({ text, memory }: MemoryText): OneCase {
  const rows = (data: Float32Array, width: number) =>
    Array.from({ length: data.length / width }, (_, i) => [...data.subarray(i * width, (i + 1) * width)]);
  const spans = rows(Float32Array.from(memory.spans), 2);
  return {
    question: rows(asked.states, D),
    memory: rows(memory.vectors, d),
    overlap: spans.map(([start, end]) => (start === end ? 0 : overlap(text.slice(start, end)))),
  };
}

/** The windows of a memory from one to another, as a memory of its own. */
function part({ text, memory }: MemoryText, from: number, to: number): MemoryText {
  const { rate, width, vectors, tokens, spans } = memory;
  return {
    text,
    memory: {
      ...{ rate, width, count: to - from },
      vectors: vectors.slice(from * width, to * width),
      tokens: tokens.slice(from, to),
      spans: spans.slice(2 * from, 2 * to),
    },
  };
}

const close = (value: number) => expect.closeTo(value, 4);

describe("windows", () => {
  it("are the logits of plain loops, the window's share of the question's words taken from its text", async () => {
    const [expected, ...rest] = windowsInLoops(weights, caseOf(tale));
    const [found] = await reader.windows(asked, [tale], overlap);
    expect([found!.none, ...found!.logits]).toEqual([expected!, ...rest].map(close));
  });

  it("are the same for one passage and among others, in their order", async () => {
    const together = await reader.windows(asked, all, overlap);
    expect(together.map(({ logits }) => logits.length)).toEqual([5, 0, 1, 1]);
    for (const [i, one] of all.entries()) {
      const [alone] = await reader.windows(asked, [one], overlap);
      expect([together[i]!.none, ...together[i]!.logits]).toEqual([alone!.none, ...alone!.logits].map(close));
    }
  });

  it("are read in parts where a memory is long; the part that most expects no answer speaks for none", async () => {
    const [whole] = await reader.windows(asked, [long], overlap);
    const parts = await reader.windows(asked, [part(long, 0, 64), part(long, 64, 70)], overlap);
    expect([...whole!.logits]).toEqual(parts.flatMap(({ logits }) => [...logits]).map(close));
    expect(parts[0]!.none).not.toBeCloseTo(parts[1]!.none, 3);
    expect(whole!.none).toBeCloseTo(Math.max(parts[0]!.none, parts[1]!.none), 4);
  });

  it("are nothing for nothing, and 0 for a passage without memory tokens", async () => {
    expect(await reader.windows(asked, [], overlap)).toEqual([]);
    expect(await reader.windows(asked, [bare], overlap)).toEqual([{ none: 0, logits: new Float32Array(0) }]);
    const [, beside] = await reader.windows(asked, [short, bare], overlap);
    expect(beside).toEqual({ none: 0, logits: new Float32Array(0) });
  });

  it("ask what share of the question's words is in each window, and nothing of windows without text", async () => {
    const seen: string[] = [];
    await reader.windows(asked, [tale, silent], (text) => {
      seen.push(text);
      return 0;
    });
    expect(seen).toEqual(["a bad", " day.", "It ended"]);
  });
});

describe("point", () => {
  /** Places of the tokens of text in a window, and the start and end logits of each, with those of no answer first. */
  function pointsOf(one: MemoryText, from: number, to: number): { places: number[]; logits: number[][] } {
    const { text, memory } = one;
    const places = Array.from(text, (_, i) => i).slice(from, to);
    const ids = (t: number) =>
      [-2, -1, 0, 1, 2].map((k) => (places.includes(t + k) ? text.charCodeAt(t + k) : letters.pad));
    const near = places.map(ids);
    const match = near.map((row) =>
      row.map((id) => Number(id !== letters.pad && asked.text.includes(String.fromCharCode(id)))),
    );
    const window = places.map(
      (t) =>
        Array.from({ length: memory.count }, (_, m) => m).find(
          (m) => memory.spans[2 * m]! <= t && t < memory.spans[2 * m + 1]!,
        )!,
    );
    return { places, logits: pointsInLoops(weights, caseOf(one), { near, match, window }) };
  }

  it("gives the best span of each clause, as the loops' logits have it", async () => {
    // The space between the two clauses is in no window.
    const cut = { ...tale, text: "a bad day." };
    const first = part(cut, 0, 3);
    const { logits } = pointsOf(first, 0, 10);
    const [none, ...tokens] = logits as [number[], ...number[][]];
    const best = { start: 0, end: 0, score: Number.NEGATIVE_INFINITY };
    for (let s = 0; s < tokens.length; s++) {
      for (let e = s; e < tokens.length; e++) {
        const score = tokens[s]![0]! + tokens[e]![1]!;
        if (score > best.score) Object.assign(best, { start: s, end: e + 1, score });
      }
    }
    expect(await reader.point(asked, [first], overlap)).toEqual([
      { evidence: 0, start: best.start, end: best.end, score: close(best.score), none: close(none[0]! + none[1]!) },
    ]);
    const both = await reader.point(asked, [tale], overlap);
    expect(both.map(({ start, end }) => (end <= 10 ? "first" : start >= 10 ? "second" : "across"))).toEqual([
      "first",
      "second",
    ]);
  });

  it("gives the same spans for one passage and among others, each with its passage's place", async () => {
    const together = await reader.point(asked, all, overlap);
    expect(together.map(({ evidence }) => evidence)).toEqual([0, 0, 2]);
    for (const [i, one] of all.entries()) {
      const alone = await reader.point(asked, [one], overlap);
      const own = together.filter(({ evidence }) => evidence === i);
      expect(own).toEqual(
        alone.map((span) => ({ ...span, evidence: i, score: close(span.score), none: close(span.none) })),
      );
    }
  });

  it("points only into windows that there are, and in every part of a long memory", async () => {
    const half = { text: tale.text, memory: part(tale, 2, 3).memory };
    const [span, ...none] = await reader.point(asked, [half], overlap);
    expect(none).toEqual([]);
    expect(span!.start).toBeGreaterThanOrEqual(5);
    expect(span!.end).toBeLessThanOrEqual(10);
    const spans = await reader.point(asked, [long], overlap);
    expect(spans.map(({ start }) => start >= 128)).toEqual([false, true]);
    const [last] = await reader.point(asked, [part(long, 64, 70)], overlap);
    expect(spans[1]).toEqual({ ...last, score: close(last!.score), none: close(last!.none) });
  });

  it("keeps to the longest answer that is allowed", async () => {
    const lengths = async (answerTokens: number) => {
      const spans = await reader.point(asked, [tale, long], overlap, { answerTokens });
      return spans.map(({ start, end }) => end - start);
    };
    expect(await lengths(1)).toEqual([1, 1, 1, 1]);
    expect(Math.max(...(await lengths(30)))).toBeGreaterThan(1);
  });

  it("finds nothing in nothing, without memory tokens, and without text", async () => {
    expect(await reader.point(asked, [], overlap)).toEqual([]);
    for (const one of [bare, silent, part(tale, 4, 5)]) expect(await reader.point(asked, [one], overlap)).toEqual([]);
  });
});

/** An engine's functions, counting what is in it. */
function counting(): { alive: Set<string>; on: Pick<Engine, "params" | "compile"> } {
  const alive = new Set<string>();
  let count = 0;
  const kept = <T extends { dispose(): Promise<void> }>(what: string, made: T): T => {
    const name = `${what} ${++count}`;
    const { dispose } = made;
    alive.add(name);
    return Object.assign(made, {
      async dispose() {
        if (!alive.delete(name)) throw new Error(`${name} was disposed twice`);
        await dispose();
      },
    });
  };
  const params: Engine["params"] = async (...given) => kept("params", await engine.params(...given));
  const compile: Engine["compile"] = async (...given) => kept("function", await engine.compile(...given));
  return { alive, on: { params, compile } };
}

describe("a reader of memories", () => {
  it("compiles what is asked for, and frees all of it and not the embeddings", async () => {
    const { alive, on } = counting();
    const own = await open(on);
    expect([...alive]).toEqual(["params 1"]);
    await own.windows(asked, [short], overlap);
    await own.windows(asked, [short], overlap);
    expect([...alive]).toEqual(["params 1", "function 2"]);
    await own.point(asked, [short], overlap);
    expect([...alive]).toEqual(["params 1", "function 2", "function 3"]);
    await own.dispose();
    await own.dispose();
    expect([...alive]).toEqual([]);
    for (const use of [own.windows, own.point]) {
      await expect(use(asked, [short], overlap)).rejects.toMatchObject({
        code: "engine",
        message: expect.stringMatching(/^memoryReader\.(windows|point): the reader has been disposed/),
      });
    }
    expect(await reader.windows(asked, [short], overlap)).toHaveLength(1);
    // What was moved into the engine were copies.
    expect(weights).toEqual(tinyMemoryWeights());
  });

  it("leaves nothing behind when it cannot start", async () => {
    const { alive, on } = counting();
    const { "memory.up.bias": _, ...missing } = weights;
    const options = { layers, heads, embeddings, tokenizer: letters };
    await expect(memoryReader(on, { ...options, weights: missing })).rejects.toMatchObject({
      code: "weights",
      message: 'memoryReader: the model has no tensor "memory.up.bias"',
    });
    const refused = Promise.reject(new Error("full"));
    refused.catch(() => {});
    const broken = { ...embeddings, params: refused };
    await expect(memoryReader(on, { ...options, weights, embeddings: broken })).rejects.toThrow("full");
    expect([...alive]).toEqual([]);
  });

  it("refuses states and memories of another width, and stops for a signal", async () => {
    const wide = passage("dab", [[0, 3]], 2, d + 1);
    for (const [name, use] of [
      ["windows", reader.windows],
      ["point", reader.point],
    ] as const) {
      await expect(use(asked, [short, wide], overlap)).rejects.toMatchObject({
        code: "shape",
        message: expect.stringMatching(new RegExp(`^memoryReader\\.${name}: memories must be 3 wide, .*, got 4; `)),
      });
      for (const length of [0, 6]) {
        await expect(use({ text: "q", states: new Float32Array(length) }, [short], overlap)).rejects.toMatchObject({
          code: "shape",
          message: `memoryReader.${name}: the question's states must be rows of 4, got ${length} numbers`,
        });
      }
      const signal = AbortSignal.abort();
      await expect(use(asked, [short], overlap, { signal })).rejects.toMatchObject({ code: "aborted" });
    }
  });
});
