// Fits what turns the embedded model's scores into probabilities, and writes packages/mini/src/calibration.ts and
// docs/calibration.json. Run by hand:
//   node --conditions=@clara/source apps/rag-master/scripts/calibrate.ts <folder of evaluation records> [--model FOLDER]
//
// Figures are reported on the first 300 records of each file: the fit uses the records after them, and of those only
// questions that are in no file's first 300.
import { createReadStream, readFileSync, writeFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { parseArgs } from "node:util";
import { createGunzip } from "node:zlib";
import {
  bestOf,
  type EvaluationRecord,
  f1Score,
  fitLogistic,
  logistic,
  normalizeAnswer,
  type ReliabilityBin,
  readRecords,
  reliability,
} from "@clara/evaluation";
import { logit } from "@clara/generator";
import { defaultConfig } from "../src/config/index.ts";
import { corpusOfRecord, evaluateRecord, type Outcome } from "../src/evaluate.ts";
import { loadModel } from "../src/model.ts";

const { values: flags, positionals } = parseArgs({ allowPositionals: true, options: { model: { type: "string" } } });
const [folder] = positionals;
if (folder === undefined)
  throw new Error("usage: calibrate.ts <folder with squad.normal5.jsonl.gz, nq.normal5.jsonl.gz, offtopic.jsonl.gz …>");

const reported = 300;
const files = [
  "squad.oracle1",
  "nq.oracle1",
  "squad.normal5",
  "nq.normal5",
  "squad.oracle5",
  "nq.oracle5",
  "squad2",
  "offtopic",
];
const fitted = ["squad.normal5", "nq.normal5"];

const records = new Map<string, EvaluationRecord[]>();
for (const name of files) {
  const lines = createInterface({ input: createReadStream(`${folder}/${name}.jsonl.gz`).pipe(createGunzip()) });
  records.set(name, await Array.fromAsync(readRecords(lines, name)));
}
const heldOut = new Set(
  [...records.values()].flatMap((list) => list.slice(0, reported).map(({ question }) => question)),
);
const likely = fitted.flatMap((name) =>
  records
    .get(name)!
    .slice(reported)
    .filter(({ question }) => !heldOut.has(question)),
);
// The same questions against the documents of a question far away in the file: about something else, so unanswerable.
const titles = ({ docs = [] }: EvaluationRecord) => docs.map((text) => text.slice(0, text.indexOf("\n")));
const astray = likely.flatMap((record, index): EvaluationRecord[] => {
  const other = likely[(index + Math.floor(likely.length / 4)) % likely.length]!;
  const own = new Set(titles(record));
  if (titles(other).some((title) => own.has(title))) return [];
  return [{ ...record, docs: other.docs!, positive: [], answers: [], answerable: false }];
});
// Most questions that people ask of their own documents are answered there: one astray question to three likely ones.
const fitting = [...likely, ...astray.filter((_, index) => index % 3 === 0)];
console.log(`${fitting.length} records to fit on, ${fitting.filter(({ answerable }) => answerable).length} answerable`);

const { compression, ...others } = defaultConfig();
const config = { ...others, compression: { ...compression, ...(flags.model && { model: flags.model }) } };
const model = await loadModel(config);
const outcomes: Outcome[] = [];
const fromMemory: Outcome[] = [];
for (const record of fitting) {
  const corpus = (await corpusOfRecord(record, model, config.compression.rate))!;
  outcomes.push(await evaluateRecord(record, corpus, model, config, { context: "mixed" }));
  fromMemory.push(await evaluateRecord(record, corpus, model, config, { context: "memory" }));
  if (outcomes.length % 100 === 0) console.log(`${outcomes.length}/${fitting.length}`);
}
await model.dispose();

// 1. Which passages of a record hold an answer: the order of passages.
const holds = ({ record }: Outcome, document: string): boolean => {
  const text = ` ${normalizeAnswer(record.docs![Number(document)]!)} `;
  return record.answerable && record.answers.some((answer) => text.includes(` ${normalizeAnswer(answer)} `));
};
const pairs = outcomes.flatMap((outcome) =>
  outcome.answer.hits.map((hit) => ({ features: vectorOf(hit.features), label: holds(outcome, hit.document) })),
);
const order = fitLogistic(
  pairs.map(({ features }) => features),
  pairs.map(({ label }) => label),
);
const linear = (features: number[]) =>
  order.bias + features.reduce((sum, value, index) => sum + value * order.weights[index]!, 0);

// 2. Whether the best passage's score means that the hits hold an answer: the scale of the scores.
const best = outcomes.map((outcome) => ({
  z: Math.max(...outcome.answer.hits.map(({ features }) => linear(vectorOf(features)))),
  label: outcome.answer.hits.some(({ document }) => holds(outcome, document)),
}));
const scale = fitLogistic(
  best.map(({ z }) => [z]),
  best.map(({ label }) => label),
);
const a = scale.weights[0]!;
const support = {
  bias: a * order.bias + scale.bias,
  best: a * order.weights[0]!,
  mean: a * order.weights[1]!,
  overlap: a * order.weights[2]!,
};
const supportOf = (z: number) => logistic(a * z + scale.bias);

function rounded<T extends Record<string, number>>(values: T): T {
  return Object.fromEntries(Object.entries(values).map(([key, value]) => [key, Number(value.toFixed(4))])) as T;
}

// 3. Whether the answer is right: half of its words or more are those of a gold answer.
function confidenceOf(answered: readonly Outcome[]) {
  const right = answered.map(
    ({ record, answer }) => record.answerable && bestOf(f1Score, answer.draft ?? "", record.answers) >= 0.5,
  );
  const rows = answered.map(({ answer }) => [
    answer.margin,
    logit(Math.max(...answer.hits.map(({ features }) => supportOf(linear(vectorOf(features)))))),
  ]);
  const { bias, weights } = fitLogistic(rows, right);
  const [margin, odds] = [weights[0]!, weights[1]!];
  const confidences = rows.map(([x, y]) => logistic(bias + margin * x! + odds * y!));
  return { fit: rounded({ bias, margin, support: odds }), curve: reliability(confidences, right, 10) };
}

const curve = {
  records: fitting.length,
  support: {
    fit: rounded(support),
    curve: reliability(
      best.map(({ z }) => supportOf(z)),
      best.map(({ label }) => label),
      10,
    ),
  },
  confidence: confidenceOf(outcomes),
  memoryConfidence: confidenceOf(fromMemory),
};
console.log(JSON.stringify(curve, undefined, 2));
const root = new URL("../../../", import.meta.url);
writeFileSync(new URL("docs/calibration.json", root), `${JSON.stringify(curve, undefined, 2)}\n`);
rewrite("packages/mini/src/calibration.ts", (text) =>
  text
    .replace(/support: \{ bias.*\},/, `support: ${literal(curve.support.fit)},`)
    .replace(/ confidence: \{ bias.*\},/, ` confidence: ${literal(curve.confidence.fit)},`)
    .replace(/ memoryConfidence: \{ bias.*\},/, ` memoryConfidence: ${literal(curve.memoryConfidence.fit)},`),
);
rewrite("docs/calibration.md", (text) =>
  (["support", "confidence", "memoryConfidence"] as const).reduce(
    (page, name) =>
      page.replace(
        new RegExp(`(<!-- ${name} -->\\n)[\\s\\S]*?(<!-- /${name} -->)`),
        (_, open, close) => `${open}${table(curve[name])}\n${close}`,
      ),
    text,
  ),
);

function rewrite(path: string, change: (text: string) => string): void {
  writeFileSync(new URL(path, root), change(readFileSync(new URL(path, root), "utf8")));
}

function literal(values: Readonly<Record<string, number>>): string {
  return `{ ${Object.entries(values)
    .map(([name, value]) => `${name}: ${value}`)
    .join(", ")} }`;
}

function table({
  fit: numbers,
  curve: bins,
}: {
  fit: Readonly<Record<string, number>>;
  curve: readonly ReliabilityBin[];
}): string {
  return [
    `Fit: ${Object.entries(numbers)
      .map(([name, value]) => `${name} ${value}`)
      .join(", ")}.`,
    "",
    "| Score | n | mean score | were right |",
    "|---|---|---|---|",
    ...bins.map(
      ({ low, high, n, confidence: mean, accuracy }) =>
        `| ${low.toFixed(1)}–${high.toFixed(1)} | ${n} | ${mean.toFixed(2)} | ${accuracy.toFixed(2)} |`,
    ),
  ].join("\n");
}

function vectorOf({ best: top, mean, overlap }: { best: number; mean: number; overlap: number }): number[] {
  return [top, mean, overlap];
}
