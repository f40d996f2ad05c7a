// Measures answers and search on evaluation sets, and writes results.json and the tables of docs/results.md. By hand:
//   node --conditions=@clara/source benchmarks/quality/bench.ts <data folder> [--records 300]
// With --part search | answers | differences | first-token, --files and --contexts only that is measured; the rest stays as results.json has it.
// "both" is search and answers: first-token wants an idle machine, and differences takes every record of a file.
// The folder holds eval/*.jsonl.gz, squad-retrieval/, nq-retrieval/ and docs-rag-eval/ (their sources are in docs/results.md).
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { cpus, totalmem } from "node:os";
import { parseArgs } from "node:util";
import { gunzipSync } from "node:zlib";
import type { Context } from "@clara/core";
import { type BeirSet, type EvaluationRecord, readBeir, readRecords } from "@clara/evaluation";
import { linesOf, plainOrGzipped } from "../../apps/rag-master/src/commands/lines.ts";
import { compareRuns, recordKey } from "../../apps/rag-master/src/compare-runs.ts";
import { defaultConfig } from "../../apps/rag-master/src/config/index.ts";
import {
  corpusOfRecord,
  type EvaluationSummary,
  evaluateRecord,
  type Outcome,
  summarize,
} from "../../apps/rag-master/src/evaluate.ts";
import {
  corpusOfBeir,
  evaluateRetrieval,
  type RetrievalSummary,
} from "../../apps/rag-master/src/evaluate-retrieval.ts";
import { loadModel } from "../../apps/rag-master/src/model.ts";
import { searches } from "../../apps/rag-master/src/search-corpus.ts";
import { type FirstToken, measureFirstToken } from "./first-token.ts";
import { answerTable, type Difference, differenceTable, firstTokenTable, searchTable } from "./tables.ts";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    records: { type: "string", default: "300" },
    part: { type: "string", default: "both" },
    files: { type: "string" },
    contexts: { type: "string", default: "text,mixed" },
  },
});
const [folder] = positionals;
if (folder === undefined)
  throw new Error(
    "usage: bench.ts <data folder> [--records n] [--part search|answers|differences|first-token] [--files a,b] [--contexts text,mixed]",
  );
const limit = Number(values.records);
const ofFirstRecords = ["search", "answers", "both"].includes(values.part);
const contexts = values.contexts.split(",") as Context[];

const allFiles = [
  "squad.oracle1",
  "nq.oracle1",
  "squad.normal5",
  "nq.normal5",
  "squad.oracle5",
  "nq.oracle5",
  "squad2",
  "offtopic",
  "hotpotqa.oracle10",
  "musique.oracle20",
  "squad.oracle20",
  "nq.oracle20",
];

const files = values.files?.split(",") ?? allFiles;
const config = defaultConfig();
const model = await loadModel(config);
const file = new URL("results.json", import.meta.url);
const kept = existsSync(file) ? JSON.parse(readFileSync(file, "utf8")) : {};
const search: Record<string, RetrievalSummary[]> = kept.search ?? {};
const answers: Record<string, EvaluationSummary[]> = kept.answers ?? {};
const differences: Record<string, Difference> = kept.differences ?? {};
const firstToken: Record<string, FirstToken[]> = kept.firstToken ?? {};
if (values.part === "search" || values.part === "both") await measureSearch();
if (values.part === "answers" || values.part === "both") await measureAnswers();
if (values.part === "differences") await measureDifferences();
if (values.part === "first-token") await measureTimes();
await model.dispose();

async function measureSearch(): Promise<void> {
  for (const name of ["squad-retrieval", "nq-retrieval", "docs-rag-eval"]) {
    const set = name === "docs-rag-eval" ? documentation(`${folder}/${name}`) : await beir(`${folder}/${name}`);
    const corpus = await corpusOfBeir(set, model, config.compression.rate, {});
    search[name] = [];
    for (const retriever of searches) {
      const summary = await evaluateRetrieval(retriever, set, corpus, model, config);
      search[name].push(summary);
      console.log(name, JSON.stringify(summary));
    }
    save();
  }
}

async function measureAnswers(): Promise<void> {
  for (const name of files) {
    const outcomes = await outcomesOf(name, limit, contexts);
    keep(name, outcomes);
    save();
  }
}

function keep(name: string, outcomes: Record<Context, Outcome[]>): void {
  const fresh = contexts.map((context) => summarize(outcomes[context], { context, rate: config.compression.rate }));
  for (const summary of fresh) console.log(name, JSON.stringify(summary));
  const other = (answers[name] ?? []).filter(({ context }) => !contexts.includes(context));
  answers[name] = [...other, ...fresh].sort((a, b) => (a.context > b.context ? -1 : 1));
}

async function outcomesOf(
  name: string,
  records: number,
  contexts: readonly Context[],
): Promise<Record<Context, Outcome[]>> {
  const outcomes: Record<Context, Outcome[]> = { text: [], mixed: [], memory: [] };
  for await (const record of first(readRecords(linesOf(`${folder}/eval/${name}.jsonl.gz`), name), records)) {
    const corpus = (await corpusOfRecord(record, model, config.compression.rate))!;
    for (const context of contexts)
      outcomes[context].push(await evaluateRecord(record, corpus, model, config, { context }));
  }
  return outcomes;
}

/** `mixed` against `text`, with nothing refused, over every record of a file; the first ones are as good as measured by themselves. */
async function measureDifferences(): Promise<void> {
  for (const name of values.files?.split(",") ?? allFiles) {
    const { mixed, text } = await outcomesOf(name, Number.POSITIVE_INFINITY, ["text", "mixed"]);
    keep(name, { mixed: mixed.slice(0, limit), text: text.slice(0, limit), memory: [] });
    const earlier = new Map(text.map(({ record, answer }) => [recordKey(record), answer.draft ?? ""]));
    const said = mixed.map((outcome) => ({ ...outcome, answer: { ...outcome.answer, answer: outcome.answer.draft } }));
    const comparison = compareRuns(said, earlier);
    if (comparison === null) continue;
    const mean = (outcomes: readonly Outcome[], context: Context) =>
      summarize(outcomes, { context, rate: config.compression.rate }).always.f1Any;
    differences[name] = { ...comparison, text: mean(text, "text"), mixed: mean(mixed, "mixed") };
    console.log(name, JSON.stringify(differences[name]));
    save();
  }
}

async function measureTimes(): Promise<void> {
  const timed = values.files?.split(",") ?? ["squad.oracle5", "nq.oracle5", "squad.oracle20", "nq.oracle20"];
  for (const name of timed) {
    const records: EvaluationRecord[] = [];
    for await (const record of first(readRecords(linesOf(`${folder}/eval/${name}.jsonl.gz`), name), limit))
      records.push(record);
    const documents = Math.max(...records.map(({ docs = [] }) => docs.length));
    firstToken[name] = [];
    // All documents of a record read, and as many as an answer usually uses.
    for (const topK of new Set([documents, Math.min(documents, config.reranking.topK)])) {
      const times = await measureFirstToken(records, model, config, { rate: 16, topK });
      firstToken[name].push(times);
      console.log(name, JSON.stringify(times));
    }
    save();
  }
}

/** After each file, so that a run that is stopped leaves what it measured. */
function save(): void {
  // Times and differences say for themselves how many records they are of.
  const records = ofFirstRecords ? limit : (kept.limit ?? limit);
  const machine = `${cpus().length} × ${cpus()[0]?.model.trim()}, ${(totalmem() / 2 ** 30).toFixed(0)} GiB, Node.js ${process.versions.node}`;
  const date = new Date().toISOString().slice(0, 10);
  writeFileSync(
    file,
    `${JSON.stringify({ date, machine, model: model.id, limit: records, search, answers, differences, firstToken }, undefined, 1)}\n`,
  );
  const page = new URL("../../docs/results.md", import.meta.url);
  const text = readFileSync(page, "utf8");
  const tables = {
    search: searchTable(search),
    answers: answerTable(answers),
    differences: differenceTable(differences),
    "first-token": firstTokenTable(firstToken),
  };
  const filled = Object.entries(tables).reduce((page, [name, table]) => fill(page, name, table), text);
  writeFileSync(
    page,
    fill(
      filled,
      "machine",
      `Measured on ${date}: ${machine}; model \`${model.id}\`; first ${records} records of each file.`,
    ),
  );
}

/** Replaces what stands between `<!-- name -->` and `<!-- /name -->`. */
function fill(text: string, name: string, content: string): string {
  return text.replace(
    new RegExp(`(<!-- ${name} -->\\n)[\\s\\S]*?(<!-- /${name} -->)`),
    (_, open, close) => `${open}${content}\n${close}`,
  );
}

async function beir(path: string): Promise<BeirSet> {
  const [corpus, queries, qrels] = ["corpus.jsonl", "queries.jsonl", "qrels/test.tsv"].map((file) =>
    linesOf(plainOrGzipped(`${path}/${file}`)),
  );
  return readBeir({ corpus: corpus!, queries: queries!, qrels: qrels! });
}

/** A vendor's documentation with questions, in a layout of its own. */
function documentation(path: string): BeirSet {
  const chunks = JSON.parse(gunzipSync(readFileSync(`${path}/anthropic_docs.json.gz`)).toString()) as {
    chunk_link: string;
    chunk_heading: string;
    text: string;
  }[];
  const questions = JSON.parse(readFileSync(`${path}/questions.shared.json`, "utf8")) as {
    id: string;
    question: string;
    correct_chunks: string[];
  }[];
  const ids = new Set(chunks.map(({ chunk_link }) => chunk_link));
  const judged = questions.map(
    ({ id, correct_chunks }) =>
      [id, new Map(correct_chunks.filter((link) => ids.has(link)).map((link) => [link, 1]))] as const,
  );
  const qrels = new Map(judged.filter(([, relevant]) => relevant.size > 0));
  return {
    corpus: [
      ...new Map(
        chunks.map(({ chunk_link, chunk_heading, text }) => [
          chunk_link,
          { id: chunk_link, title: chunk_heading, text },
        ]),
      ).values(),
    ],
    queries: questions.filter(({ id }) => qrels.has(id)).map(({ id, question }) => ({ id, text: question })),
    qrels,
    skippedQueries: questions.length - qrels.size,
  };
}

async function* first<T>(values: AsyncIterable<T>, n: number): AsyncGenerator<T, void, undefined> {
  let taken = 0;
  for await (const value of values) {
    if (taken++ >= n) return;
    yield value;
  }
}
