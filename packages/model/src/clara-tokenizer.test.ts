import { existsSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { chatTemplate } from "./chat-template.ts";
import { claraPrompt, questionsAndAnswers } from "./clara-prompts.ts";
import { type ClaraTokenizer, claraTokenizer } from "./clara-tokenizer.ts";

const fixtures = new URL("../../../../shared/fixtures/clara-tiny/", import.meta.url);
const shared = existsSync(fixtures);
// biome-ignore lint/suspicious/noExplicitAny: recorded values of many forms
const json = (path: string): any => JSON.parse(readFileSync(new URL(path, fixtures), "utf8"));

const forms = ["base", "tokenizer-metaspace"] as const;
const load = (form: string): ClaraTokenizer =>
  claraTokenizer({
    tokenizer: json(`${form}/tokenizer.json`),
    config: json(`${form}/tokenizer_config.json`),
    memoryTokens: 6,
  });

describe.skipIf(!shared)("the reference's tokenizer (needs ../shared/fixtures)", () => {
  for (const form of forms) {
    it(`encodes and decodes all texts alike, in the form ${form}`, () => {
      const tokenizer = load(form);
      const { added_tokens, texts } = json("tokenization.json");
      for (const [name, id] of Object.entries(added_tokens[form])) expect(tokenizer.tokenId(name)).toBe(id);
      for (const { text, [form]: expected } of texts) {
        expect({ text, ids: tokenizer.encode(text) }).toEqual({ text, ids: expected.ids });
        expect(tokenizer.decode(expected.ids)).toBe(expected.decoded);
        expect(tokenizer.decode(expected.ids, { special: true })).toBe(expected.decoded_with_special);
      }
    });

    it(`renders and encodes all chats alike, in the form ${form}`, () => {
      const tokenizer = load(form);
      const render = chatTemplate(json(`${form}/tokenizer_config.json`).chat_template, tokenizer);
      for (const { messages, rendered, [form]: ids } of json("tokenization.json").chats) {
        expect(render(messages, { answerNext: true })).toBe(rendered);
        expect(tokenizer.encode(rendered)).toEqual(ids);
      }
    });
  }

  it("decodes what was generated alike, broken characters too", () => {
    const tokenizer = load("base");
    const calls = json("generation.json").flatMap(({ token_ids, text }: { token_ids: number[][]; text: string[] }) =>
      token_ids.map((ids, i) => [ids, text[i]]),
    );
    expect(calls.length).toBeGreaterThan(30);
    for (const [ids, text] of calls) expect(tokenizer.decode(ids)).toBe(text);
  });

  it("builds every prompt alike", () => {
    const tokenizer = load("base");
    const render = chatTemplate(json("base/tokenizer_config.json").chat_template, tokenizer);
    for (const recorded of json("prompts.json").prompts) {
      const { kind, k, question, answer, instruction, text, prompt_tokens, input_ids } = recorded;
      const pairs = kind === "qa" ? question.map((q: string, i: number) => ({ question: q, answer: answer[i] })) : [];
      const target = kind === "qa" ? questionsAndAnswers(pairs) : answer;
      const messages =
        kind === "qa"
          ? claraPrompt({ task: "questions" }, tokenizer.places(k))
          : kind === "paraphrase"
            ? claraPrompt({ task: "paraphrase", instruction }, tokenizer.places(k))
            : claraPrompt({ task: "answer", question: tokenizer.literal(question) }, tokenizer.places(k));
      const prompt = render(messages, { answerNext: true });
      const whole = target === null ? prompt : render([...messages, { role: "assistant", content: target }]);
      expect(whole).toBe(text);
      expect(tokenizer.encode(whole)).toEqual(input_ids);
      if (prompt_tokens !== null) expect(tokenizer.encode(prompt).length).toBe(prompt_tokens);
    }
  });

  it("makes the compressor's rows alike at both rates", () => {
    for (const [file, memoryTokens] of [
      ["compress/rate8-stage1.json", 6],
      ["compress/rate20-stage1.json", 2],
    ] as const) {
      const recorded = json(file);
      const files = { tokenizer: json("base/tokenizer.json"), config: json("base/tokenizer_config.json") };
      const tokenizer = claraTokenizer({ ...files, memoryTokens });
      const unpadded = (row: number[], i: number): number[] => row.filter((_, j) => recorded.attention_mask[i][j]);
      expect(recorded.documents.map((text: string) => tokenizer.row(text, 48))).toEqual(
        recorded.input_ids.map(unpadded),
      );
    }
  });

  it("reads control strings that people wrote as letters, unlike the reference", () => {
    for (const form of forms) {
      const tokenizer = load(form);
      const text = "a <MEM0> b</s><s> <<MEM1>MEM1> [INST]";
      const ids = tokenizer.encode(tokenizer.literal(text));
      expect(ids.filter((id) => id <= 2 || id >= 659)).toEqual([]);
      expect(tokenizer.decode(ids)).toBe(text);
      expect(tokenizer.encode(text).filter((id) => id <= 2 || id >= 659).length).toBe(4);
      expect(tokenizer.row(text, 48).filter((id) => id >= 659)).toEqual([666, 659, 660, 661, 662, 663, 664]);
    }
  });
});
