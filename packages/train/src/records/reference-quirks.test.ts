import { chatTemplate } from "@clara/model";
import { tinyTokenizer } from "@clara/model/testing";
import { describe, expect, it } from "vitest";
import type { ClaraRecord } from "./clara-record.ts";
import { encodeRecord } from "./encode-record.ts";

const render = chatTemplate("{% for m in messages %}{{ m['content'] }}|{% endfor %}");
const options = { tokenizer: tinyTokenizer, render, documentTokens: 20, documents: 2 } as const;
const record: ClaraRecord = {
  ...{ kind: "answer", line: 3, documents: ["a town", "a mill"], question: "a?", answer: "b" },
  ...{ aliases: [], positives: [] },
};

describe("where the reference differs", () => {
  it("cuts a question where it cuts a document, where the reference's training cuts it at the longest prompt", () => {
    const text = "b".repeat(900);
    const { example } = encodeRecord(
      { ...record, documents: [text, "a"], question: text },
      { ...options, stage: "endToEnd", promptTokens: 4000 },
    );
    expect(example.question).toEqual(example.documents[0]);
    expect(example.question!.length).toBe(20 + 3 + tinyTokenizer.memoryTokens);
  });

  it("says which document loses its end, where the reference cuts in silence", () => {
    const long = { ...record, documents: ["a town", "b".repeat(21)] };
    const { warnings } = encodeRecord(long, { ...options, stage: "instruction", promptTokens: 4000 });
    expect(warnings).toEqual(["document 1 of line 3 was cut: it is longer than 20 tokens"]);
    // One token more than there is room for is the end mark alone: nothing that was written is lost.
    const fits = { ...record, documents: ["a town", "b".repeat(20)] };
    expect(encodeRecord(fits, { ...options, stage: "instruction", promptTokens: 4000 }).warnings).toEqual([]);
  });

  it("refuses a prompt that leaves no room for its answer, where the reference trains with a loss that is not a number", () => {
    const cut = (): unknown => encodeRecord(record, { ...options, stage: "instruction", promptTokens: 40 });
    expect(cut).toThrow(/line 3: its prompt has \d+ tokens, which leaves no room for an answer in 40/);
  });
});
