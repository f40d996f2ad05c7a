import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { meanKey, type QuantizedMemory, quantizeMemory } from "@clara/compressor";
import { ClaraError, type Document, type Passage, throwIfAborted } from "@clara/core";
import { openPack, type PackIdentity, readPackText, writePack } from "@clara/pack";
import { englishAnalyzer } from "@clara/retrieval";
import { passageTokens } from "./corpus-of-texts.ts";
import { type FoundFile, findFiles, loadFile } from "./loaders/index.ts";
import type { Model } from "./model.ts";
import { splitDocument } from "./split/index.ts";

/** What became of the files. `found = indexed + unchanged + skipped + failed`, always. */
export interface IndexReport {
  readonly pack: string;
  readonly found: number;
  readonly indexed: number;
  readonly unchanged: number;
  readonly skipped: number;
  readonly failed: number;
  /** Documents that were in the pack and whose files are gone. */
  readonly deleted: number;
  readonly passages: number;
  readonly memoryTokens: number;
  readonly seconds: number;
  readonly dryRun: boolean;
  /** Why each skipped or failed file was left out. */
  readonly problems: readonly { readonly path: string; readonly reason: string; readonly failed: boolean }[];
  /** What a reader should know of files that were indexed: ragged rows, a guessed encoding. */
  readonly notes: readonly { readonly path: string; readonly note: string }[];
}

export interface IndexOptions {
  readonly pack: string;
  readonly model: Model;
  readonly rate: number;
  readonly dryRun?: boolean;
  readonly signal?: AbortSignal;
  readonly onProgress?: (stage: "read" | "compress", done: number, total: number) => void;
}

export function identityOf(model: Model, rate: number): PackIdentity {
  return { model: model.id, tokenizer: model.tokenizer.id, analyzer: englishAnalyzer.id, rate, width: model.width };
}

/**
 * Brings a pack in step with files and folders: new and changed files are compressed, the rest is kept, documents whose
 * files are gone are dropped. A file that cannot be read is listed and never stops the run.
 */
export async function indexFolder(
  paths: readonly string[],
  { pack, model, rate, dryRun = false, signal, onProgress }: IndexOptions,
): Promise<IndexReport> {
  const started = performance.now();
  const identity = identityOf(model, rate);
  const previous = await openPrevious(pack, identity);
  const { files, skipped } = await findFiles(paths, { ...(signal && { signal }) });
  const problems = skipped.map(({ path, reason }) => ({ path, reason, failed: false }));
  const notes: { path: string; note: string }[] = [];
  const fresh: { document: Document; passages: Passage[] }[] = [];
  const kept: Document[] = [];

  for (const [index, file] of files.entries()) {
    throwIfAborted(signal, "index");
    onProgress?.("read", index, files.length);
    const known = previous?.documents.get(file.id);
    if (known && (await hashOf(file)) === known.hash) {
      kept.push(known);
      continue;
    }
    try {
      const loaded = await loadFile(file);
      if ("skip" in loaded) problems.push({ path: file.id, reason: loaded.skip, failed: false });
      else {
        const { document, blocks } = loaded;
        fresh.push({
          document,
          passages: splitDocument(document, blocks, {
            tokens: (text) => model.tokenizer.encode(text).ids.length,
            maxTokens: passageTokens,
          }),
        });
        for (const note of loaded.notes) notes.push({ path: file.id, note });
      }
    } catch (error) {
      problems.push({ path: file.id, reason: error instanceof Error ? error.message : String(error), failed: true });
    }
  }
  onProgress?.("read", files.length, files.length);

  const passages = fresh.flatMap((loaded) => loaded.passages);
  const keptIds = new Set(kept.map(({ id }) => id));
  const deleted = previous
    ? [...previous.documents.keys()].filter((id) => !files.some((file) => file.id === id)).length
    : 0;
  const content: Draft = {
    documents: [...kept, ...fresh.map(({ document }) => document)].sort((a, b) => (a.id < b.id ? -1 : 1)),
    passages: previous ? [...previous.passages.values()].filter(({ document }) => keptIds.has(document)) : [],
    memories: new Map(),
    keys: new Map(),
  };
  for (const { id } of content.passages) {
    content.memories.set(id, previous!.memory(id));
    content.keys.set(id, previous!.key(id));
  }
  if (!dryRun) {
    await compressInto(content, passages, {
      model,
      rate,
      ...(signal && { signal }),
      ...(onProgress && { onProgress }),
    });
    const changed =
      fresh.length > 0 || deleted > 0 || previous === undefined || kept.length !== previous.documents.size;
    if (changed) await writePack(pack, { identity, content });
  }
  const failed = problems.filter((problem) => problem.failed).length;
  return {
    pack,
    found: files.length + skipped.length,
    indexed: fresh.length,
    unchanged: kept.length,
    skipped: problems.length - failed,
    failed,
    deleted,
    passages: content.passages.length + (dryRun ? passages.length : 0),
    memoryTokens: [...content.memories.values()].reduce((sum, { count }) => sum + count, 0),
    seconds: Math.round((performance.now() - started) / 100) / 10,
    dryRun,
    problems,
    notes,
  };
}

/** A pack's content while it is gathered. */
type Draft = {
  documents: Document[];
  passages: Passage[];
  memories: Map<string, QuantizedMemory>;
  keys: Map<string, Float32Array>;
};

/** Compresses again, with today's model and rate, from the text that the pack kept. */
export async function recompress({
  pack,
  model,
  rate,
  signal,
  onProgress,
}: Omit<IndexOptions, "dryRun">): Promise<{ passages: number; memoryTokens: number }> {
  const { documents, passages } = await readPackText(pack);
  const content: Draft = { documents: [...documents], passages: [], memories: new Map(), keys: new Map() };
  await compressInto(content, passages, { model, rate, ...(signal && { signal }), ...(onProgress && { onProgress }) });
  const { counts } = await writePack(pack, { identity: identityOf(model, rate), content });
  return { passages: counts.passages, memoryTokens: counts.memoryTokens };
}

async function compressInto(
  content: Draft,
  passages: readonly Passage[],
  { model, rate, signal, onProgress }: Pick<IndexOptions, "model" | "rate" | "signal" | "onProgress">,
): Promise<void> {
  const memories = await model.compressor.compress(passages, {
    rate,
    ...(signal && { signal }),
    onProgress: (done, total) => onProgress?.("compress", done, total),
  });
  passages.forEach((passage, index) => {
    content.passages.push(passage);
    content.memories.set(passage.id, quantizeMemory(memories[index]!) satisfies QuantizedMemory);
    content.keys.set(passage.id, meanKey(memories[index]!));
  });
}

async function openPrevious(
  pack: string,
  expect: PackIdentity,
): Promise<Awaited<ReturnType<typeof openPack>> | undefined> {
  if (!existsSync(pack)) return undefined;
  if (existsSync(join(pack, "manifest.json"))) return openPack(pack, { expect });
  const { readdir, stat } = await import("node:fs/promises");
  if (!(await stat(pack)).isDirectory())
    throw new ClaraError("pack", `${pack} is a file, and a pack is a directory; choose another --pack`);
  const others = (await readdir(pack)).filter((name) => !name.startsWith("."));
  if (others.length > 0)
    throw new ClaraError(
      "pack",
      `${pack} holds other files and no pack (found ${others[0]}); choose an empty or new directory for --pack`,
    );
  return undefined;
}

async function hashOf(file: FoundFile): Promise<string> {
  try {
    return createHash("sha256")
      .update(await readFile(file.path))
      .digest("hex");
  } catch {
    return ""; // unreadable now: the loader will say why
  }
}
