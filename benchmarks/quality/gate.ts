// How often what the gate opens holds the answer, and how much of the text that is. By hand:
//   node --conditions=@clara/source benchmarks/quality/gate.ts <data folder> [--model FOLDER] [--from 0] [--records 300]
// Writes the table of docs/results.md when it is of the first 300 records and of the embedded model.
import { readFileSync, writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import type { Evidence, Query } from "@clara/core";
import { type EvaluationRecord, normalizeAnswer, readRecords } from "@clara/evaluation";
import { chooseWindows, type Overlap, type Pointed, type WindowOptions } from "@clara/generator";
import { answer } from "../../apps/rag-master/src/answer.ts";
import { linesOf } from "../../apps/rag-master/src/commands/lines.ts";
import { defaultConfig } from "../../apps/rag-master/src/config/index.ts";
import { corpusOfRecord } from "../../apps/rag-master/src/evaluate.ts";
import { loadModel, type Model } from "../../apps/rag-master/src/model.ts";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    model: { type: "string" },
    from: { type: "string", default: "0" },
    records: { type: "string", default: "300" },
    files: { type: "string", default: "squad.normal5,nq.normal5,hotpotqa.oracle10" },
  },
});
const [folder] = positionals;
if (folder === undefined) throw new Error("usage: gate.ts <data folder> [--model FOLDER] [--from n] [--records n]");
const [from, records] = [Number(values.from), Number(values.records)];

/** What the gate had to choose from. */
interface Choice {
  readonly record: EvaluationRecord;
  readonly query: Query & { readonly vector: Float32Array };
  readonly evidence: readonly Evidence[];
  readonly overlap: Overlap;
  readonly pointed: readonly Pointed[] | undefined;
}

/** Each adds to the one before. */
const gates: Readonly<Record<string, WindowOptions>> = {
  cosine: { overlapWeight: 0, kindWeight: 0, evidenceWeight: 0 },
  "and the passage's score": { overlapWeight: 0, kindWeight: 0 },
  "and the question's words": { kindWeight: 0 },
  "and numbers and names": {},
  "and the reader of memories": { pointerWeight: 0.05 },
};

const config = defaultConfig();
const model = await loadModel({
  ...config,
  compression: { ...config.compression, ...(values.model && { model: values.model }) },
});
const rows: string[] = [];
for (const file of values.files.split(",")) {
  const choices: Choice[] = [];
  let at = 0;
  for await (const record of readRecords(linesOf(`${folder}/eval/${file}.jsonl.gz`), file)) {
    if (at++ < from || !record.answerable) continue;
    if (at > from + records) break;
    choices.push(await choiceOf(record, model));
  }
  const held = choices.filter(({ record, evidence }) =>
    holds(
      record,
      evidence.map(({ text }) => text),
    ),
  );
  for (const [name, options] of Object.entries(gates)) {
    if (options.pointerWeight && model.memories === undefined) continue;
    const recalls = [1, 2, 4, 8].map((windows) => recallOf(held, { ...options, windows, neighbours: 0 }));
    const read = recallOf(held, { ...options, ...config.expansion });
    const cells = [...recalls, read].map(({ recall }) => (100 * recall).toFixed(1));
    rows.push(`| ${[file, held.length, name, ...cells, `${(100 * read.share).toFixed(0)} %`].join(" | ")} |`);
    console.log(rows.at(-1));
  }
}
const usual = from === 0 && records === 300 && values.model === undefined;
if (usual) {
  const page = new URL("../../docs/results.md", import.meta.url);
  const head =
    "| File | n | Score of a window | 1 window | 2 | 4 | 8 | as read | of the text |\n|---|---|---|---|---|---|---|---|---|";
  const table = `<!-- gate -->\n${head}\n${rows.join("\n")}\n<!-- /gate -->`;
  writeFileSync(
    page,
    readFileSync(page, "utf8").replace(/<!-- gate -->[\s\S]*<!-- \/gate -->/, () => table),
  );
}
await model.dispose();

/** Asks the question up to the generator, and keeps what that was given. */
async function choiceOf(record: EvaluationRecord, whole: Model): Promise<Choice> {
  const corpus = (await corpusOfRecord(record, whole, config.compression.rate))!;
  let choice: Choice | undefined;
  const generator: Model["generator"] = {
    name: "none",
    async generate(query, evidence, { overlap = () => 0 }) {
      const { text, vector, states } = query;
      const texts = evidence.map(({ text, memory }) => ({ text, memory: memory! }));
      const pointed = states && (await whole.memories?.windows({ text, states }, texts, overlap));
      choice = { record, query: { ...query, vector: vector! }, evidence, overlap, pointed };
      return null;
    },
  };
  await answer(record.question, corpus, { ...whole, generator }, config, { context: "mixed", draft: true });
  return choice!;
}

/** Questions whose answer is in what a gate opens, and the share of the text's characters that it opens. */
function recallOf(choices: readonly Choice[], options: WindowOptions): { recall: number; share: number } {
  let [found, opened, all] = [0, 0, 0];
  for (const { record, query, evidence, overlap, pointed } of choices) {
    const fragments = chooseWindows(query, evidence, overlap, options, pointed);
    const texts = fragments.map(({ evidence: index, start, end }) => evidence[index]!.text.slice(start, end));
    if (holds(record, texts)) found++;
    opened += texts.reduce((sum, { length }) => sum + length, 0);
    all += evidence.reduce((sum, { text }) => sum + text.length, 0);
  }
  return { recall: found / choices.length, share: opened / all };
}

function holds({ answers }: EvaluationRecord, texts: readonly string[]): boolean {
  return texts.some((text) => {
    const words = ` ${normalizeAnswer(text)} `;
    return answers.some((gold) => words.includes(` ${normalizeAnswer(gold)} `));
  });
}
