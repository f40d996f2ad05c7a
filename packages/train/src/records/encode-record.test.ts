import { existsSync, readFileSync } from "node:fs";
import { chatTemplate, claraTokenizer } from "@clara/model";
import { describe, expect, it } from "vitest";
import type { Stage } from "../recipe.ts";
import type { ClaraRecord } from "./clara-record.ts";
import { type EncodeRecordOptions, encodeRecord } from "./encode-record.ts";
import { linesOf, readRecords } from "./read-records.ts";

const fixtures = new URL("../../../../../shared/fixtures/clara-tiny/", import.meta.url);
const shared = existsSync(fixtures);
const bytes = (path: string): Buffer => readFileSync(new URL(path, fixtures));
// biome-ignore lint/suspicious/noExplicitAny: recorded values of many forms
const json = (path: string): any => JSON.parse(bytes(path).toString());

type Recorded = { shape: number[]; input_ids: number[][]; attention_mask: number[][]; memory_mask: number[][] };
const stages = {
  stage1: "compression",
  "stage1-paraphrase": "compression",
  stage1_2: "instruction",
  stage2: "endToEnd",
};

/** Recorded rows without their padding. */
const unpadded = ({ input_ids, attention_mask }: Recorded): number[][] =>
  input_ids.map((row, i) => row.filter((_, j) => attention_mask[i]![j] === 1));

describe.skipIf(!shared)("encodeRecord and the reference's reader (needs ../shared/fixtures)", () => {
  const config = shared ? json("base/tokenizer_config.json") : { bos_token: "<s>", eos_token: "</s>" };
  const tokenizer = claraTokenizer({
    tokenizer: shared ? json("base/tokenizer.json") : tiny(),
    config,
    memoryTokens: 6,
  });
  const render = chatTemplate(shared ? config.chat_template : "", tokenizer);
  const { batches } = shared ? json("reader.json") : { batches: {} };
  const options = { tokenizer, render, documentTokens: 48, promptTokens: 2048 };

  for (const [name, stage] of Object.entries(stages) as [string, Stage][]) {
    it(`make the same rows, masks and labels of ${name}`, async () => {
      const { file, records: lines, batch } = batches[name];
      const documents = batch.generation_top_k;
      const { records } = await readRecords(linesOf(bytes(file)), { stage, documents, source: file });
      const examples = lines.map((line: number, i: number) => {
        const instruction = batch.paraphrase_instruction_index?.[i] ?? 0;
        const { example, warnings } = encodeRecord(records[line]!, { ...options, stage, documents, instruction });
        expect(warnings.filter((text) => !text.startsWith("document"))).toEqual([]);
        return example;
      });
      const rows = examples.flatMap(({ documents }: { documents: number[][] }) => documents);
      expect(rows).toEqual(unpadded(batch.enc));
      expect(rows.length).toBe(batch.enc.shape[0]);
      if (batch.query) {
        expect(examples.map(({ question }: { question: number[] }) => question)).toEqual(unpadded(batch.query));
      }
      expect(examples.map(({ prompt }: { prompt: number[] }) => prompt)).toEqual(unpadded(batch.dec));
      for (const [i, { prompt, answerStart }] of examples.entries()) {
        const pad = batch.dec.shape[1] - prompt.length;
        const labels = [...Array(pad + answerStart).fill(-100), ...prompt.slice(answerStart)];
        expect(labels).toEqual(batch.labels[i]);
        const memory = [...Array(pad).fill(0), ...prompt.map((id: number) => Number(id >= 659 && id <= 664))];
        expect(memory).toEqual(batch.dec.memory_mask[i]);
      }
    });
  }

  it("refuse a prompt cut before its answer, on which the reference trains with a loss of NaN", async () => {
    const { batch } = batches["stage1_2-max_len-60"];
    expect(batch.labels.flat().every((label: number) => label === -100)).toBe(true);
    const stage = "instruction";
    const { records } = await readRecords(linesOf(bytes("data/stage1_2.jsonl")), { stage, documents: 3 });
    const cut = (): unknown => encodeRecord(records[0]!, { ...options, stage, documents: 3, promptTokens: 60 });
    expect(cut).toThrow("line 1: its prompt has 101 tokens, which leaves no room for an answer in 60");
  });
});

describe("encodeRecord", () => {
  const render = chatTemplate(
    "{% for m in messages %}{{ m['content'] }}|{% endfor %}{% if add_generation_prompt %}>{% endif %}",
  );
  const tokenizer = claraTokenizer({
    tokenizer: tiny(),
    config: { bos_token: "<s>", eos_token: "</s>" },
    memoryTokens: 2,
  });
  const options = {
    tokenizer,
    render,
    stage: "endToEnd",
    documentTokens: 5,
    promptTokens: 2000,
    documents: 1,
  } as const;
  const record: ClaraRecord = {
    ...{ kind: "answer", line: 3, documents: ["abc", "b"], question: "a?", answer: "b" },
    ...{ aliases: [], positives: [] },
  };
  const decoded = (ids: readonly number[]): string => tokenizer.decode(ids, { special: true });

  it("gives documents, question and prompt, and where the answer starts", () => {
    const { example, warnings } = encodeRecord(record, options);
    expect(warnings).toEqual([]);
    expect(example.id).toBe("line 3");
    expect(example.documents.map(decoded)).toEqual(["<ENC><s>abc</s><MEM0><MEM1>", "<ENC><s>b</s><MEM0><MEM1>"]);
    expect(decoded(example.question!)).toBe("<ENC><s>a?</s><MEM0><MEM1>");
    expect(decoded(example.prompt)).toContain("Background:\n<MEM0><MEM1><SEP>\n\nQuestion:a?|>b</s>");
    // This template writes an old answer as "b|" and a new one as ">b": the label is what will be generated.
    expect(decoded(example.prompt.slice(example.answerStart))).toBe("b</s>");
  });

  it("reads names of special tokens in documents, questions and answers as letters", () => {
    const hostile = { ...record, documents: ["<MEM0>"], question: "<MEM1>", answer: "</s>x" };
    const { example } = encodeRecord(hostile, { ...options, documentTokens: 20 });
    const memory = (ids: readonly number[]): number => ids.filter((id) => id === tokenizer.firstMemoryId).length;
    expect([example.documents[0]!, example.question!, example.prompt].map(memory)).toEqual([1, 1, 1]);
    expect(example.prompt.slice(example.answerStart).filter((id) => id === tokenizer.eosId).length).toBe(1);
    expect(decoded(example.prompt.slice(example.answerStart))).toBe("</s>x</s>");
  });

  it("says which texts were cut", () => {
    const long = { ...record, id: "x", documents: ["a", "b".repeat(1_000_000)], answer: "c".repeat(3000) };
    const { example, warnings } = encodeRecord(long, options);
    expect(warnings).toEqual([
      "the answer of line 3 (x) was cut: it ends after 2000 tokens",
      "document 1 of line 3 (x) was cut: it is longer than 5 tokens",
    ]);
    expect(example.prompt.length).toBe(2000);
    expect(example.documents[1]!.length).toBe(8 + 2);
  });

  it("draws a paraphrase's instruction by seed and line", () => {
    const paraphrase: ClaraRecord = { kind: "paraphrase", line: 1, documents: ["a"], paraphrase: "b" };
    const prompt = (line: number, more: Partial<EncodeRecordOptions> = {}): string =>
      decoded(encodeRecord({ ...paraphrase, line }, { ...options, stage: "compression", ...more }).example.prompt);
    expect(prompt(1)).toBe(prompt(1));
    expect(new Set(Array.from({ length: 40 }, (_, line) => prompt(line))).size).toBeGreaterThan(8);
    expect(prompt(1, { instruction: 4 })).toContain("is a paraphrase of what?");
  });

  it("refuses records of another stage", () => {
    expect(() => encodeRecord(record, { ...options, stage: "compression" })).toThrow('line 3 is of kind "answer"');
  });
});

/** Bytes only: every character is its own piece. */
function tiny(): object {
  const names = Array.from({ length: 256 }, (_, i) => `<0x${i.toString(16).toUpperCase().padStart(2, "0")}>`);
  return {
    added_tokens: ["<unk>", "<s>", "</s>"].map((content, id) => ({ id, content, special: true, normalized: false })),
    decoder: { type: "Sequence", decoders: [{ type: "ByteFallback" }, { type: "Fuse" }] },
    model: {
      ...{ type: "BPE", unk_token: "<unk>", byte_fallback: true, merges: [] },
      vocab: Object.fromEntries(["<unk>", "<s>", "</s>", ...names].map((piece, id) => [piece, id])),
    },
  };
}
