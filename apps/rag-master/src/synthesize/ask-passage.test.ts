import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Passage } from "@clara/core";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { askParaphrase, askPassage } from "./ask-passage.ts";
import { estimate } from "./estimate.ts";
import { lenientJson, pairsOf } from "./lenient-json.ts";
import { locate } from "./locate.ts";
import { type Ask, cachedAsk } from "./reply-cache.ts";

const text = "Tarnmoor employs 86 people. The workshop was founded in 2009 by Ann Lee.";
const passage: Passage = {
  id: "a.md#0",
  document: "a.md",
  title: "About",
  text,
  start: 0,
  end: text.length,
  metadata: {},
};
const none = '{"pairs": []}';

/** An `ask` that replies from a list, and what it was asked. */
function scripted(...replies: string[]): { ask: Ask; prompts: string[] } {
  const prompts: string[] = [];
  return {
    prompts,
    ask: async ({ messages }, parse) => {
      prompts.push(messages.at(-1)!.content);
      const value = parse(replies[prompts.length - 1] ?? none);
      if (value === null) throw new Error(`reply ${prompts.length} was not understood`);
      return value;
    },
  };
}

const pair = (question: string, answer: string): string => JSON.stringify({ pairs: [{ question, answer }] });
const verdict = (missing: string[] = [], wrong: number[] = []): string => JSON.stringify({ missing, wrong });

describe("askPassage", () => {
  it("keeps answers that stand in the text, with their place", async () => {
    const { ask, prompts } = scripted(pair("How many people work there", "86 People."), verdict());
    const { pairs, rounds } = await askPassage(passage, ask, 10);
    expect(pairs).toEqual([
      {
        question: "How many people work there?",
        answer: "86 people",
        spans: [{ start: 17, end: 26 }],
        rule: "endpoint",
      },
    ]);
    expect(rounds).toBe(1);
    expect(prompts[0]).toContain(text);
  });

  it("asks again for facts that were left out and for answers that are not in the text", async () => {
    const { ask, prompts } = scripted(
      pair("Who founded the workshop?", "Anne Lee"),
      verdict(),
      pair("Who founded the workshop?", "Ann Lee"),
      verdict(["it was founded in 2009"]),
      pair("When was the workshop founded?", "2009"),
      verdict(),
    );
    const { pairs, rejected, uncovered } = await askPassage(passage, ask, 10);
    expect(pairs.map(({ answer }) => answer)).toEqual(["Ann Lee", "2009"]);
    expect(prompts[2]).toContain("Anne Lee");
    expect(prompts[4]).toContain("- it was founded in 2009");
    expect({ rejected, uncovered }).toEqual({ rejected: 0, uncovered: [] });
  });

  it("leaves out what the check calls wrong, and stops when a round brings nothing new", async () => {
    const { ask, prompts } = scripted(pair("How many shops are there?", "86"), verdict(["the shops"], [1]), none);
    expect(await askPassage(passage, ask, 10)).toMatchObject({
      pairs: [],
      uncovered: ["the shops"],
      rejected: 1,
      rounds: 1,
    });
    expect(prompts).toHaveLength(4);
  });

  it("ends after the rounds it was given, however much is missing", async () => {
    let count = 0;
    const words = text.match(/\p{L}+/gu)!;
    const endless: Ask = async ({ messages }, parse) =>
      parse(
        messages.at(-1)!.content.includes('"wrong"')
          ? verdict(["more"])
          : pair(`Which word is number ${++count}?`, words[count % words.length]!),
      )!;
    expect((await askPassage(passage, endless, 3)).rounds).toBe(3);
    expect(count).toBe(5);
  });

  it("takes a question over several facts only with all of its evidence quoted", async () => {
    const both = {
      question: "Who founded what employs 86 people?",
      answer: "Ann Lee",
      evidence: ["employs 86 people", "founded in 2009 by Ann Lee"],
    };
    const { ask } = scripted(
      none,
      verdict(),
      JSON.stringify({
        pairs: [both, { ...both, evidence: ["86 people"] }, { ...both, evidence: ["86 people", "made up"] }],
      }),
    );
    const { pairs, rejected } = await askPassage(passage, ask, 1);
    expect(pairs).toMatchObject([{ rule: "endpoint-combined", answer: "Ann Lee" }]);
    expect(pairs[0]!.spans.map(({ start, end }) => text.slice(start, end))).toEqual(both.evidence);
    expect(rejected).toBe(2);
  });
});

describe("askParaphrase", () => {
  it("asks again until every number and name is there", async () => {
    const short = JSON.stringify({ paraphrase: "There are 86 people at Tarnmoor, and a workshop that was founded." });
    const good = "There are 86 people at Tarnmoor, whose workshop Ann Lee founded in 2009.";
    const { ask, prompts } = scripted(short, JSON.stringify({ paraphrase: good }));
    expect(await askParaphrase(passage, ask, 3)).toBe(good);
    expect(prompts[1]).toContain("left out: 2009, Ann, Lee");
    expect(await askParaphrase(passage, scripted(short, short).ask, 2)).toBeNull();
  });
});

describe("pairsOf", () => {
  it("reads what models write around and into JSON", () => {
    const want = [{ question: "Q?", answer: "A", evidence: [] }];
    const replies = [
      '{"pairs":[{"question":"Q?","answer":"A"}]}',
      '<think>{"no"}</think>Sure!\n```json\n[{"q": "Q?", "a": "A",},]\n```',
      'Here [1]: {"qa_pairs": [["Q?", "A"]]} Done {',
      '{"question": "Q?", "answer": "A"}',
    ];
    for (const reply of replies) expect(pairsOf(reply)).toEqual(want);
    expect(pairsOf('{"pairs": [{"question": "How many?", "answer": 86}]}')).toMatchObject([{ answer: "86" }]);
  });

  it("tells no pairs from no answer", () => {
    expect(pairsOf(none)).toEqual([]);
    for (const reply of ["", "I cannot.", "{", '{"pairs": [{"foo": 1}]}', '{"result": true}', "null"])
      expect(pairsOf(reply)).toBeNull();
    expect([...lenientJson('{"a": "}"} rest [1')]).toEqual([{ a: "}" }]);
  });
});

describe("locate", () => {
  it("finds whole words, whatever the case and white space, nearest to the question's words", () => {
    expect(locate("this is it", "is")).toEqual({ start: 5, end: 7 });
    expect(locate("a  B\nc", "“A b c.”")).toEqual({ start: 0, end: 6 });
    const two = `The red tent costs 5 euros. ${"x ".repeat(200)}The blue tent weighs 5 kg.`;
    expect(locate(two, "5", "How much does the blue tent weigh?")!.start).toBeGreaterThan(100);
    expect(locate("abc", "d")).toBeNull();
    expect(locate("abc", " . ")).toBeNull();
  });
});

describe("cachedAsk", () => {
  let directory: string;
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), "clara-replies-"));
  });
  afterEach(() => rm(directory, { recursive: true }));

  const request = { messages: [{ role: "user" as const, content: "x" }], temperature: 0 };
  const replying = (...replies: string[]) => {
    let count = 0;
    return async () => ({ content: replies[count++] ?? "too often", tokens: { in: 1, out: 1 } });
  };

  it("asks the same thing once, of one endpoint", async () => {
    const first = cachedAsk(replying(none), { directory, identity: "a" });
    expect(await first.ask(request, pairsOf)).toEqual([]);
    const again = cachedAsk(replying(), { directory, identity: "a" });
    expect(await again.ask(request, pairsOf)).toEqual([]);
    expect(again.counts).toMatchObject({ requests: 0, cached: 1 });
    await expect(cachedAsk(replying(), { directory, identity: "b" }).ask(request, pairsOf)).rejects.toThrow(
      "nothing usable, 3 times: too often",
    );
  });

  it("keeps no reply that cannot be used, and believes no file that is damaged", async () => {
    const { ask, counts } = cachedAsk(replying("what?", none), { directory, identity: "a" });
    await ask(request, pairsOf);
    expect(counts).toMatchObject({ requests: 2, tokensIn: 2, tokensOut: 2 });
    const [file] = (await readdir(directory, { recursive: true })).filter((name) => name.endsWith(".json"));
    const path = join(directory, file!);
    expect(JSON.parse(await readFile(path, "utf8")).content).toBe(none);
    await writeFile(path, '{"content": "{\\"pai');
    const later = cachedAsk(replying(none), { directory, identity: "a" });
    await later.ask(request, pairsOf);
    expect(later.counts.requests).toBe(1);
  });
});

describe("estimate", () => {
  it("adds up over passages, and says the most", () => {
    const one = estimate([100], { rounds: 10, paraphrases: false, prices: { in: 1, out: 2 } });
    const ten = estimate(Array(10).fill(100), { rounds: 10, paraphrases: false, prices: null });
    expect(ten.tokensIn).toBeCloseTo(one.tokensIn * 10, -1);
    expect(ten.price).toBeNull();
    expect(one.most.requests).toBeGreaterThan(one.requests);
    expect(estimate([], { rounds: 10, paraphrases: true, prices: null })).toMatchObject({
      passages: 0,
      requests: 0,
      tokensIn: 0,
    });
  });
});
