import { describe, expect, it } from "vitest";
import { type Check, checkPairs, countVerdicts } from "./check-pairs.ts";
import { draftPairs } from "./draft-pairs.ts";
import { tokenF1 } from "./f1.ts";
import { passageOf } from "./passages.testing.ts";

const passages = [
  passageOf("Name: Rain Cape; Price: 89.00; Weight: 290 g"),
  passageOf("The seal lasts 2 years.", { at: 1 }),
];
const byId = new Map(passages.map((passage) => [passage.id, passage]));
const pairs = draftPairs(passages, { rules: ["record", "time"] });
const says =
  (answer: string): Check =>
  async () => ({ answer, start: 0, end: answer.length, margin: 1 });

async function verdicts(check: Check, options = {}): Promise<string[]> {
  return (await collect(checkPairs(pairs, byId, check, options))).map(({ pair, verdict }) => `${pair.rule} ${verdict}`);
}

async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = [];
  for await (const item of items) list.push(item);
  return list;
}

describe("checkPairs", () => {
  it("keeps what the reader finds", async () => {
    const right: Check = async (question) => ({
      ...(await says("")("", passages[0]!))!,
      answer: pairs.find((pair) => pair.question === question)!.answer,
    });
    expect(await verdicts(right)).toEqual(["record found", "record found", "time found"]);
  });

  it("keeps certain pairs that the reader misses as hard ones, up to a share, and drops the others", async () => {
    expect(await verdicts(says("nonsense"), { hard: 1 })).toEqual(["record hard", "record hard", "time dropped"]);
    expect(await verdicts(says("nonsense"), { hard: 0 })).toEqual(["record dropped", "record dropped", "time dropped"]);
    expect(await verdicts(async () => null, { hard: 0 })).toEqual(["record dropped", "record dropped", "time dropped"]);
  });

  it("counts per rule", async () => {
    const checked = await collect(checkPairs(pairs, byId, says("2 years"), { hard: 0 }));
    expect(countVerdicts(checked)).toEqual({
      record: { found: 0, hard: 0, dropped: 2 },
      time: { found: 1, hard: 0, dropped: 0 },
    });
  });

  it("stops at the signal, and names a pair whose passage is missing", async () => {
    await expect(verdicts(says(""), { signal: AbortSignal.abort() })).rejects.toMatchObject({ code: "aborted" });
    await expect(collect(checkPairs(pairs, new Map(), says("")))).rejects.toThrow(pairs[0]!.id);
  });
});

describe("tokenF1", () => {
  it("compares words without case, marks and articles", () => {
    expect(tokenF1("The 2 Years.", "2 years")).toBe(1);
    expect(tokenF1("about 2 years", "2 years")).toBeCloseTo(0.8);
    expect(tokenF1("green", "2 years")).toBe(0);
    expect(tokenF1("", "")).toBe(0);
  });
});
