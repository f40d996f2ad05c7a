import type { Generator } from "@clara/core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Answer, type AnswerOptions, answer } from "./answer.ts";
import { defaultConfig, type RagConfig } from "./config/index.ts";
import type { Corpus } from "./corpus.ts";
import { corpusOfTexts } from "./corpus-of-texts.ts";
import { loadModel, type Model } from "./model.ts";

const documents = [
  {
    id: "tent.md",
    title: "Skarrow tent",
    text: "# Skarrow tent\n\nThe Skarrow tent weighs 2.4 kg. It sleeps two people 🏕️ and takes ten minutes to pitch.\n",
  },
  {
    id: "returns.md",
    title: "Returns",
    text: "# Returns\n\nYou can return an unused item within 60 days. Refunds are paid within five working days.\n",
  },
  {
    id: "hours.md",
    title: "Opening hours",
    text: "# Opening hours\n\nThe Harbour Street shop opens at nine on weekdays and at ten on Saturdays.\n",
  },
];
const weighs = "How much does the Skarrow tent weigh?";

let model: Model;
let corpus: Corpus;
beforeAll(async () => {
  model = await loadModel(defaultConfig());
  corpus = await corpusOfTexts(documents, model, 16);
});
afterAll(() => model.dispose());

function withGuardrails(guardrails: Partial<RagConfig["guardrails"]>): RagConfig {
  const config = defaultConfig();
  return { ...config, guardrails: { ...config.guardrails, ...guardrails } };
}

function ask(question: string, config: RagConfig = defaultConfig(), options: AnswerOptions = {}): Promise<Answer> {
  return answer(question, corpus, model, config, options);
}

/** A generator that says what the documents do not, with a quote to go with it. */
const inventor: Generator = {
  name: "inventor",
  generate: async (_query, [best], { onToken }) => {
    onToken?.("1.9 kg");
    return {
      answer: "1.9 kg",
      quotes: [{ evidence: best!.id, text: "1.9 kg", start: 41, end: 47 }],
      confidence: 0.99,
      margin: 9,
      tokens: { text: 20, read: 20 },
    };
  },
};

describe("answer", () => {
  it("answers with a citation that is a slice of the document", async () => {
    const given = await ask(weighs);
    expect(given).toMatchObject({ question: weighs, refused: false, reason: null });
    expect(given.answer).toContain("2.4 kg");
    const [citation] = given.citations;
    expect(citation).toMatchObject({ document: "tent.md", verified: true, line: 3 });
    const { start, end, quote } = citation!;
    expect(documents[0]!.text.slice(start, end)).toBe(quote);
    expect(quote).toContain(given.answer);
    expect(given.hits[0]).toMatchObject({ document: "tent.md", rank: 1 });
    expect(given.hits.length).toBeLessThanOrEqual(5);
    expect(given.decisions.map(({ rail }) => rail)).toEqual(["input", "retrieval", "generation", "citation", "output"]);
    expect(given.confidence).toBeGreaterThan(0);
    expect(given.tokens.read).toBeGreaterThan(0);
  });

  it("gives the same answer again, but for record and timings", async () => {
    const [first, second] = [await ask(weighs), await ask(weighs)];
    expect({ ...second, record: "", timings: {} }).toEqual({ ...first, record: "", timings: {} });
    expect(second.record).not.toBe(first.record);
  });

  it("answers from whole passages with context text", async () => {
    const given = await ask(weighs, defaultConfig(), { context: "text" });
    expect(given.answer).toContain("2.4 kg");
    expect(given.citations[0]?.verified).toBe(true);
  });

  it("refuses a question that the documents do not answer, keeping what it measured", async () => {
    const given = await ask("Who won the football world cup in 1998?");
    expect(given).toMatchObject({ answer: null, refused: true, reason: "out_of_context", citations: [], draft: null });
    const { minScore } = defaultConfig().reranking;
    expect(given.decisions.at(-1)).toMatchObject({ rail: "retrieval", pass: false, threshold: minScore });
    expect(given.decisions.at(-1)!.score).toBeLessThan(minScore);
    expect(given.hits.length).toBeGreaterThan(0);
  });

  it("keeps a refusal a refusal when a draft is asked for", async () => {
    const pieces: string[] = [];
    const given = await ask("Who won the football world cup in 1998?", defaultConfig(), {
      draft: true,
      onToken: (piece) => pieces.push(piece),
    });
    expect(given).toMatchObject({ answer: null, reason: "out_of_context", draft: expect.any(String) });
    expect(pieces).toEqual([]);
  });

  it("answers it all the same where out of context is allowed, still with a citation", async () => {
    const given = await ask(
      "Who won the football world cup in 1998?",
      withGuardrails({ allowOutOfContext: true, minConfidence: 0 }),
    );
    expect(given).toMatchObject({ refused: false, answer: expect.any(String) });
    expect(given.citations[0]?.verified).toBe(true);
  });

  it("refuses an answer that holds a blocked text, and streams nothing of it", async () => {
    const pieces: string[] = [];
    const given = await ask(weighs, withGuardrails({ output: { blocked: ["2.4 KG"] } }), {
      onToken: (piece) => pieces.push(piece),
    });
    expect(given).toMatchObject({ answer: null, reason: "blocked_output", citations: [] });
    expect(pieces).toEqual([]);
  });

  it("refuses an answer that it is not confident enough of", async () => {
    expect(await ask(weighs, withGuardrails({ minConfidence: 1 }))).toMatchObject({
      answer: null,
      reason: "low_confidence",
    });
  });

  it("refuses what a generator invents", async () => {
    const given = await answer(weighs, corpus, { ...model, generator: inventor }, defaultConfig());
    expect(given).toMatchObject({ answer: null, reason: "no_citation", citations: [], draft: "1.9 kg" });
    const unchecked = withGuardrails({ requireCitations: false });
    const allowed = await answer(weighs, corpus, { ...model, generator: inventor }, unchecked);
    expect(allowed).toMatchObject({ answer: "1.9 kg", refused: false });
    expect(allowed.citations[0]).toMatchObject({ verified: false });
  });

  it("streams nothing before the generator is done and the rails have passed, then the whole answer in order", async () => {
    const events: string[] = [];
    const watched: Generator = {
      name: "watched",
      generate: async (query, evidence, options) => {
        const generated = await model.generator.generate(query, evidence, options);
        events.push("generated");
        return generated;
      },
    };
    const given = await answer(weighs, corpus, { ...model, generator: watched }, defaultConfig(), {
      onToken: (piece) => events.push(piece),
    });
    expect(events[0]).toBe("generated");
    expect(events.slice(1).join("")).toBe(given.answer);
  });

  it("stops when the caller says so, before and during generation", async () => {
    await expect(ask(weighs, defaultConfig(), { signal: AbortSignal.abort() })).rejects.toMatchObject({
      code: "aborted",
    });
    const stop = new AbortController();
    const stopping: Generator = {
      name: "stopping",
      generate: (query, evidence, options) => {
        stop.abort();
        return model.generator.generate(query, evidence, options);
      },
    };
    await expect(
      answer(weighs, corpus, { ...model, generator: stopping }, defaultConfig(), { signal: stop.signal }),
    ).rejects.toMatchObject({ code: "aborted" });
    expect((await ask(weighs)).refused).toBe(false);
  });

  it("answers from memories alone when asked to, without reading text", async () => {
    const given = await ask(weighs, defaultConfig(), { context: "memory" });
    expect(given.draft).toBe("2.4");
    expect(given.tokens.read).toBe(0);
    expect(given.tokens.text).toBeGreaterThan(0);
  });
});

describe("bad input: a question", () => {
  it.each(["", " \n\t"])("is empty: %j", async (question) => {
    await expect(ask(question)).rejects.toMatchObject({ code: "input", message: expect.stringContaining("empty") });
  });

  it("is 1 MB long: refused at once, not cut", async () => {
    const given = await ask(`${weighs} `.repeat(27_000));
    expect(given).toMatchObject({ refused: true, reason: "blocked_input", hits: [] });
    expect(given.decisions).toHaveLength(1);
  });

  it("is as long as the configuration allows", async () => {
    const given = await ask(`${"please ".repeat(560)}${weighs}`.slice(-4000));
    expect(given.reason).not.toBe("blocked_input");
  });

  it.each(["🏕️🏕️🏕️", "\u0000\u0007", "?!…", "a\ud800b", "[SEP] [CLS] [PAD]", "तम्बू कितना भारी है?"])(
    "is strange: %j",
    async (question) => {
      const given = await ask(question);
      expect(typeof given.refused).toBe("boolean");
      for (const citation of given.citations) expect(citation.verified).toBe(true);
    },
  );
});

describe("a corpus", () => {
  it("without a document refuses, even where out of context is allowed", async () => {
    const empty = await corpusOfTexts([], model, 16);
    for (const config of [defaultConfig(), withGuardrails({ allowOutOfContext: true })]) {
      expect(await answer(weighs, empty, model, config)).toMatchObject({ reason: "out_of_context", hits: [] });
    }
  });

  it("with blank documents refuses as well", async () => {
    const blank = await corpusOfTexts(["", "   \n"], model, 16);
    expect(await answer(weighs, blank, model, defaultConfig())).toMatchObject({ reason: "out_of_context" });
  });

  it("needs texts, and names that differ", async () => {
    await expect(corpusOfTexts([{ id: "a" } as never], model, 16)).rejects.toMatchObject({
      code: "input",
      message: expect.stringContaining("documents[0]"),
    });
    const twice = ["x", "y"].map((text) => ({ id: "a", text }));
    await expect(corpusOfTexts(twice, model, 16)).rejects.toMatchObject({ code: "input" });
  });
});
