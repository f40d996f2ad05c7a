// Speed and recall of the retrievers on made-up data. By hand, on an idle machine, from the repository's root:
//   node --conditions=@clara/source benchmarks/retrieval/bench.ts            all sizes; some minutes
//   node --conditions=@clara/source benchmarks/retrieval/bench.ts --small    1,000 of each; writes nothing
import { readFileSync, writeFileSync } from "node:fs";
import { cpus } from "node:os";
import type { IndexedPassage, Query, WritableRetriever } from "../../packages/core/src/index.ts";
import { bm25, exact, hnsw, wink } from "../../packages/retrieval/src/index.ts";
import { createTexts, createVectors } from "./corpus.ts";

const small = process.argv.includes("--small");
const round = (x: number, digits = 3) => Number(x.toPrecision(digits));

interface Measured {
  readonly name: string;
  readonly passages: number;
  /** Seconds from the first passage to the first answer. */
  readonly buildS: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** Mean share of the true best 12 that are found. */
  readonly recall12?: number;
}

/** In batches of 1,000, as a program would; nothing is searched before the end. */
async function build(retriever: WritableRetriever, passages: readonly IndexedPassage[], first: Query): Promise<number> {
  const start = performance.now();
  for (let i = 0; i < passages.length; i += 1000) {
    await retriever.apply({ upsert: passages.slice(i, i + 1000) });
  }
  await retriever.search(first, { k: 1 });
  return (performance.now() - start) / 1000;
}

/** Times both on each question in turn, so that what else the machine does hits both alike. After one round to warm up. */
async function alternate(
  pair: readonly WritableRetriever[],
  queries: readonly Query[],
  k: number,
): Promise<{ ms: number[][]; ids: string[][][] }> {
  const ms: number[][] = pair.map(() => []);
  const ids: string[][][] = pair.map(() => []);
  for (const timed of [false, true]) {
    for (const query of queries) {
      for (const [i, retriever] of pair.entries()) {
        const start = performance.now();
        const hits = await retriever.search(query, { k });
        if (!timed) continue;
        ms[i]!.push(performance.now() - start);
        ids[i]!.push(hits.map(({ id }) => id));
      }
    }
  }
  return { ms, ids };
}

function quantile(values: readonly number[], q: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))]!;
}

async function measure(
  pair: readonly WritableRetriever[],
  passages: readonly IndexedPassage[],
  queries: readonly Query[],
  k: number,
): Promise<Measured[]> {
  const seconds: number[] = [];
  for (const retriever of pair) seconds.push(await build(retriever, passages, queries[0]!));
  const { ms, ids } = await alternate(pair, queries, k);
  const shares = ids[1]!.map((found, q) => found.filter((id) => ids[0]![q]!.includes(id)).length / ids[0]![q]!.length);
  const rows = pair.map((retriever, i) => ({
    name: retriever.name,
    passages: passages.length,
    buildS: round(seconds[i]!),
    p50Ms: round(quantile(ms[i]!, 0.5)),
    p99Ms: round(quantile(ms[i]!, 0.99)),
    ...(retriever.capabilities.vector && i === 1
      ? { recall12: round(shares.reduce((a, b) => a + b, 0) / shares.length, 4) }
      : {}),
  }));
  const note = (pair[1] as { note?: string }).note;
  if (note) throw new Error(note); // else exact would be measured twice
  for (const retriever of pair) await retriever.close();
  return rows;
}

const results: Measured[] = [];
for (const size of small ? [1000] : [10_000, 50_000]) {
  const { passages, questions } = createTexts(size, 200, 1);
  results.push(
    ...(await measure(
      [bm25(), wink()],
      passages,
      questions.map((text) => ({ text })),
      25,
    )),
  );
}
const { passages, questions } = createVectors(small ? 1000 : 20_000, 384, 200, 2);
const asked = questions.map((vector) => ({ text: "", vector }));
results.push(...(await measure([exact(), hnsw(small ? { exactBelow: 0 } : {})], passages, asked, 12)));
console.table(results);

if (!small) {
  const packageJson = JSON.parse(
    readFileSync(new URL("../../packages/retrieval/package.json", import.meta.url), "utf8"),
  );
  const ratios = results.flatMap((row, i) => {
    const other = results[i + 1];
    if (i % 2 === 1 || other === undefined) return [];
    const of = `${other.name} to ${row.name} at ${row.passages}`;
    return [
      {
        of,
        p50: round(other.p50Ms / row.p50Ms),
        p99: round(other.p99Ms / row.p99Ms),
        build: round(other.buildS / row.buildS),
      },
    ];
  });
  const report = {
    date: new Date().toISOString().slice(0, 10),
    machine: { cpu: cpus()[0]!.model, cores: cpus().length, platform: `${process.platform} ${process.arch}` },
    versions: { node: process.version, ...packageJson.dependencies, ...packageJson.optionalDependencies },
    results,
    ratios,
  };
  writeFileSync(new URL("results.json", import.meta.url), `${JSON.stringify(report, null, 2)}\n`);

  const table = [
    `Measured ${report.date}: ${report.machine.cpu}, ${report.machine.cores} cores, Node.js ${process.version}.`,
    "",
    "| Retriever | Passages | Build, s | p50, ms | p99, ms | Recall@12 |",
    "|---|---|---|---|---|---|",
    ...results.map(
      (r) => `| ${r.name} | ${r.passages} | ${r.buildS} | ${r.p50Ms} | ${r.p99Ms} | ${r.recall12 ?? ""} |`,
    ),
  ].join("\n");
  const readme = new URL("README.md", import.meta.url);
  const text = readFileSync(readme, "utf8");
  writeFileSync(
    readme,
    text.replace(/(<!-- table -->\n)[\s\S]*(\n<!-- end -->)/, (_all, open, close) => open + table + close),
  );
}
