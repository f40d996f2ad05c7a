import { createHash } from "node:crypto";
import { mkdir } from "node:fs/promises";
import { join, resolve } from "node:path";
import { ClaraError } from "@clara/core";
import { openPack, packVersion } from "@clara/pack";
import { type Corpus, corpusOfPack } from "../corpus.ts";
import { type IndexReport, identityOf, indexFolder } from "../index-folder.ts";
import type { Model } from "../model.ts";
import type { Terminal } from "../terminal/index.ts";
import type { CommandContext } from "./context.ts";

export interface SourceFlags {
  readonly pack?: string;
  readonly docs?: readonly string[];
}

/** Where answers come from: a pack, or the files of `--docs`, which are indexed first. */
export async function openSource(
  { pack, docs }: SourceFlags,
  model: Model,
  rate: number,
  context: CommandContext,
): Promise<{ corpus: Corpus; directory: string }> {
  if (pack !== undefined && docs !== undefined)
    throw new ClaraError("option", "--pack and --docs: give one of them, not both");
  const directory = docs === undefined ? (pack ?? ".clara") : await cachedPack(docs, model, rate, context);
  const opened = await openPack(directory, { expect: identityOf(model, rate) });
  return { corpus: await corpusOfPack(opened), directory };
}

/** The pack of these paths, brought up to date. It is kept, so that the second question is quick. */
async function cachedPack(
  docs: readonly string[],
  model: Model,
  rate: number,
  context: CommandContext,
): Promise<string> {
  const key = createHash("sha256")
    .update(JSON.stringify([docs.map((path) => resolve(path)), identityOf(model, rate), packVersion]))
    .digest("hex");
  const directory = join(context.cache, "docs", key.slice(0, 16));
  await mkdir(directory, { recursive: true });
  const report = await indexWithProgress(docs, { pack: directory, model, rate }, context);
  if (report.passages === 0) {
    throw new ClaraError(
      "input",
      `${docs.join(", ")}: nothing to answer from (${report.found} files found, ${report.skipped} skipped, ${report.failed} failed)${firstProblem(report)}`,
    );
  }
  if (report.indexed > 0) context.terminal.info(summaryOf(report));
  return directory;
}

function firstProblem({ problems }: IndexReport): string {
  const problem = problems[0];
  return problem === undefined ? "" : `; first: ${problem.path}: ${problem.reason}`;
}

export async function indexWithProgress(
  paths: readonly string[],
  options: { pack: string; model: Model; rate: number; dryRun?: boolean },
  { terminal, signal }: Pick<CommandContext, "terminal" | "signal">,
): Promise<IndexReport> {
  const show = stages(terminal);
  try {
    return await indexFolder(paths, { ...options, signal, onProgress: show.update });
  } finally {
    show.stop();
  }
}

/** One bar per stage: reading files, then compressing passages. */
export function stages(terminal: Terminal): { update(stage: string, done: number, total: number): void; stop(): void } {
  const titles: Record<string, string> = {
    read: "reading files",
    compress: "compressing passages",
    ask: "asking questions",
  };
  let current: { stage: string; bar: ReturnType<Terminal["progress"]> } | undefined;
  return {
    update(stage, done, total) {
      if (total === 0) return;
      if (current?.stage !== stage) {
        current?.bar.stop();
        current = { stage, bar: terminal.progress(titles[stage] ?? stage, total) };
      }
      current.bar.update(done);
    },
    stop() {
      current?.bar.stop();
    },
  };
}

/** One line whose counts add up. */
export function summaryOf({
  found,
  indexed,
  unchanged,
  skipped,
  failed,
  deleted,
  passages,
  memoryTokens,
  memoryBytes,
  textBytes,
  seconds,
}: IndexReport): string {
  const gone = deleted > 0 ? `, ${deleted} deleted` : "";
  const counts = `${found} found = ${indexed} indexed + ${unchanged} unchanged + ${skipped} skipped + ${failed} failed${gone}`;
  return `${counts}; ${passages} passages, ${memoryTokens} memory tokens, ${sizesOf({ memoryBytes, textBytes })}, ${seconds} s`;
}

/** How large the memories are beside the text they stand for. */
export function sizesOf({ memoryBytes, textBytes }: Pick<IndexReport, "memoryBytes" | "textBytes">): string {
  const kilobytes = (bytes: number) => `${(bytes / 1000).toFixed(1)} KB`;
  const ratio = textBytes === 0 ? "" : `, ratio ${(memoryBytes / textBytes).toFixed(2)}`;
  return `memory ${kilobytes(memoryBytes)}, text ${kilobytes(textBytes)}${ratio}`;
}
