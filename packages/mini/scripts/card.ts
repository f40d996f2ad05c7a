// Draws the diagrams of MODEL_CARD.md: losses from the logs of the runs that made the weights, and how often answers of a
// stated confidence were right, from benchmarks/quality/results.json. By hand, after the runs and after bench.ts:
//   node packages/mini/scripts/card.ts [LOG OF A RUN…]      (a run's log.jsonl, named as the run: mini-search.jsonl)
import { readFileSync, writeFileSync } from "node:fs";
import { basename } from "node:path";

interface Step {
  readonly step: number;
  readonly loss: number;
  readonly examples: number;
  readonly seconds: number;
}
interface Bin {
  readonly low: number;
  readonly n: number;
  readonly confidence: number;
  readonly accuracy: number;
}
interface Summary {
  readonly context: string;
  readonly calibration: { readonly ece: number | null; readonly bins: readonly Bin[] };
}

const card = new URL("../MODEL_CARD.md", import.meta.url);
const results = new URL("../../../benchmarks/quality/results.json", import.meta.url);
const logs = process.argv.slice(2);
let page = readFileSync(card, "utf8");
if (logs.length > 0) fill("curves", logs.map(curveOf).join("\n\n"));
fill("reliability", reliabilityOf(JSON.parse(readFileSync(results, "utf8")).answers));
writeFileSync(card, page);

/** Replaces what stands between `<!-- name -->` and `<!-- /name -->`. */
function fill(name: string, content: string): void {
  const place = new RegExp(`(<!-- ${name} -->\\n)[\\s\\S]*?(<!-- /${name} -->)`);
  if (!place.test(page)) throw new Error(`MODEL_CARD.md has no <!-- ${name} -->`);
  page = page.replace(place, (_, open, close) => `${open}${content}\n${close}`);
}

/** A run's loss, the mean of each fortieth of its steps. */
function curveOf(log: string): string {
  const steps = readFileSync(log, "utf8")
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as Step);
  const last = steps.at(-1)!.step;
  const size = Math.ceil(last / 40);
  const means = Array.from({ length: Math.floor(last / size) }, (_, at) => {
    const some = steps.filter(({ step }) => step > at * size && step <= (at + 1) * size);
    return some.reduce((sum, { loss }) => sum + loss, 0) / some.length;
  });
  const examples = steps.reduce((sum, step) => sum + step.examples, 0);
  const minutes = steps.reduce((sum, { seconds }) => sum + seconds, 0) / 60;
  const title = `${basename(log, ".jsonl")}: ${last} steps, ${examples.toLocaleString("en")} examples, ${minutes.toFixed(0)} minutes`;
  return chart(title, `"step" ${size} --> ${means.length * size}`, "loss", [
    { kind: "line", values: means, digits: 2 },
  ]);
}

/** Files whose documents a search has found, as people's own are: drafts of both by their confidence, in ten bins. */
function reliabilityOf(files: Readonly<Record<string, readonly Summary[]>>): string {
  const bins = ["squad.normal5", "nq.normal5"]
    .flatMap((name) => files[name]!)
    .filter(({ context }) => context === "mixed")
    .flatMap(({ calibration }) => calibration.bins);
  const tenths = Array.from({ length: 10 }, (_, at) => {
    const some = bins.filter(({ n, confidence }) => n > 0 && Math.min(9, Math.floor(10 * confidence)) === at);
    const n = some.reduce((sum, bin) => sum + bin.n, 0);
    const mean = (of: (bin: Bin) => number) => (n === 0 ? 0 : some.reduce((sum, bin) => sum + bin.n * of(bin), 0) / n);
    return { n, confidence: mean(({ confidence }) => confidence), accuracy: mean(({ accuracy }) => accuracy) };
  }).filter(({ n }) => n > 0);
  const total = tenths.reduce((sum, { n }) => sum + n, 0);
  const error =
    tenths.reduce((sum, { n, confidence, accuracy }) => sum + n * Math.abs(confidence - accuracy), 0) / total;
  const title = `${total.toLocaleString("en")} answers; expected calibration error ${error.toFixed(3)}`;
  const axis = `"confidence" [${tenths.map(({ confidence }) => `"${confidence.toFixed(2)}"`).join(", ")}]`;
  return [
    chart(title, axis, "share that was right", [
      { kind: "bar", values: tenths.map(({ accuracy }) => accuracy), digits: 2 },
      { kind: "line", values: tenths.map(({ confidence }) => confidence), digits: 2 },
    ]),
    "",
    `| Confidence | ${tenths.map(({ confidence }) => confidence.toFixed(2)).join(" | ")} |`,
    `|---${"|---".repeat(tenths.length)}|`,
    `| were right | ${tenths.map(({ accuracy }) => accuracy.toFixed(2)).join(" | ")} |`,
    `| answers | ${tenths.map(({ n }) => n).join(" | ")} |`,
  ].join("\n");
}

/** A diagram that GitHub draws. */
function chart(
  title: string,
  x: string,
  y: string,
  series: readonly { readonly kind: "line" | "bar"; readonly values: readonly number[]; readonly digits: number }[],
): string {
  const lines = series.map(
    ({ kind, values, digits }) => `  ${kind} [${values.map((v) => v.toFixed(digits)).join(", ")}]`,
  );
  return ["```mermaid", "xychart-beta", `  title "${title}"`, `  x-axis ${x}`, `  y-axis "${y}"`, ...lines, "```"].join(
    "\n",
  );
}
