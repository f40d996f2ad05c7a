import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { type QuantizedMemory, quantizeMemory } from "@clara/compressor";
import { type Document, type Passage, throwIfAborted } from "@clara/core";
import { memoryBytes, type PackIdentity, readPackText, writePack } from "@clara/pack";
import { englishAnalyzer } from "@clara/retrieval";
import { type FoundFile, findFiles, loadFile } from "./loaders/index.ts";
import type { Model } from "./model.ts";
import { openPrevious } from "./open-previous.ts";
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
  /** That the memories take in the pack, and UTF-8 bytes of their passages' texts; in a dry run of those that are there. */
  readonly memoryBytes: number;
  readonly textBytes: number;
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
  const { tokenizer, compressor } = model;
  return {
    model: model.memoryId,
    tokenizer: tokenizer.id,
    analyzer: englishAnalyzer.id,
    rate,
    width: compressor.width,
    bits: model.memoryBits,
  };
}

/**
 * Brings a pack in step with files and folders: new and changed files are compressed, the rest is kept, documents whose
 * files are gone are dropped. A file or folder that cannot be read is listed, and never stops the run; what was indexed of it
 * before stays.
 */
export async function indexFolder(
  paths: readonly string[],
  { pack, model, rate, dryRun = false, signal, onProgress }: IndexOptions,
): Promise<IndexReport> {
  const started = performance.now();
  const identity = identityOf(model, rate);
  const { previous, note } = await openPrevious(pack, identity);
  const { files, skipped, unreadable } = await findFiles(paths, { ...(signal && { signal }) });
  const found = new Set(files.map(({ id }) => id));
  const missing = [...(previous?.documents.values() ?? [])].filter(({ id }) => !found.has(id));
  const hidden = missing.flatMap((document) => {
    const folder = unreadable.find(({ id }) => mayHold(id, document.id));
    return folder ? [{ document, path: folder.path }] : [];
  });
  const problems = skipped.map(({ path, reason }) => {
    const stay = hidden.some((each) => each.path === path) ? "; what was indexed of it before stays" : "";
    return { path, reason: `${reason}${stay}`, failed: false };
  });
  const notes = note === undefined ? [] : [{ path: pack, note }];
  const fresh: { document: Document; passages: Passage[] }[] = [];
  const kept: Document[] = [];
  const stale: Document[] = hidden.map(({ document }) => document);

  for (const [index, file] of files.entries()) {
    throwIfAborted(signal, "index");
    onProgress?.("read", index, files.length);
    const known = previous?.documents.get(file.id);
    const hash = known && (await hashOf(file));
    if (known && hash === known.hash) {
      kept.push(known);
      continue;
    }
    try {
      const loaded = await loadFile(file);
      if ("skip" in loaded) {
        // Whoever is writing the file, or has locked it, is no reason to forget what it said; what it says now may be.
        const passing = known && (hash === "unreadable" || (await hashOf(file)) !== hash);
        if (passing) stale.push(known);
        const reason = passing ? `${loaded.skip}; what was indexed of it before stays` : loaded.skip;
        problems.push({ path: file.id, reason, failed: false });
      } else {
        const { document, blocks } = loaded;
        fresh.push({
          document,
          passages: splitDocument(document, blocks, {
            tokens: model.tokenizer.count,
            maxTokens: model.passageTokens,
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
  const keptIds = new Set([...kept, ...stale].map(({ id }) => id));
  const content: Draft = {
    documents: [...kept, ...stale, ...fresh.map(({ document }) => document)].sort((a, b) => (a.id < b.id ? -1 : 1)),
    passages: previous ? [...previous.passages.values()].filter(({ document }) => keptIds.has(document)) : [],
    memories: new Map(),
  };
  for (const { id } of content.passages) content.memories.set(id, previous!.memory(id));
  if (!dryRun) {
    await compressInto(content, passages, {
      model,
      rate,
      ...(signal && { signal }),
      ...(onProgress && { onProgress }),
    });
    const changed =
      fresh.length > 0 ||
      missing.length > hidden.length ||
      previous === undefined ||
      keptIds.size !== previous.documents.size;
    if (changed) await writePack(pack, { identity, content, ...(signal && { signal }) });
  }
  const failed = problems.filter((problem) => problem.failed).length;
  return {
    pack,
    found: files.length + skipped.length,
    indexed: fresh.length,
    unchanged: kept.length,
    skipped: problems.length - failed,
    failed,
    deleted: missing.length - hidden.length,
    passages: content.passages.length + (dryRun ? passages.length : 0),
    memoryTokens: [...content.memories.values()].reduce((sum, { count }) => sum + count, 0),
    memoryBytes: memoryBytes(content.memories.values()),
    textBytes: content.passages.reduce((sum, { text }) => sum + Buffer.byteLength(text), 0),
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
};

/** Whether a document's id is this one, or in the folder of this one; "" is a folder that was given. */
function mayHold(id: string, document: string): boolean {
  return id === "" || id === document || document.startsWith(`${id}/`);
}

/** Compresses again, with today's model and rate, from the text that the pack kept. */
export async function recompress({
  pack,
  model,
  rate,
  signal,
  onProgress,
}: Omit<IndexOptions, "dryRun">): Promise<
  Pick<IndexReport, "passages" | "memoryTokens" | "memoryBytes" | "textBytes">
> {
  const { documents, passages } = await readPackText(pack);
  const content: Draft = { documents: [...documents], passages: [], memories: new Map() };
  await compressInto(content, passages, { model, rate, ...(signal && { signal }), ...(onProgress && { onProgress }) });
  const { counts } = await writePack(pack, {
    identity: identityOf(model, rate),
    content,
    ...(signal && { signal }),
  });
  const { memoryTokens, memoryBytes, passageBytes: textBytes } = counts;
  return { passages: counts.passages, memoryTokens, memoryBytes, textBytes };
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
    content.memories.set(passage.id, quantizeMemory(memories[index]!, { bits: model.memoryBits }));
  });
}

/** Null: there is no such file. */
async function hashOf(file: FoundFile): Promise<string | null> {
  try {
    return createHash("sha256")
      .update(await readFile(file.path))
      .digest("hex");
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "ENOENT" ? null : "unreadable";
  }
}
