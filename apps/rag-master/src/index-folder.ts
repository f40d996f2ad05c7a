import { createHash } from "node:crypto";
import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { meanKey, type QuantizedMemory, quantizeMemory } from "@clara/compressor";
import { ClaraError, type Document, type Passage, throwIfAborted } from "@clara/core";
import { openPack, type Pack, type PackIdentity, readPackText, writePack } from "@clara/pack";
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
  const { previous, damage } = await openPrevious(pack, identity);
  const { files, skipped } = await findFiles(paths, { ...(signal && { signal }) });
  const problems = skipped.map(({ path, reason }) => ({ path, reason, failed: false }));
  const notes = damage === undefined ? [] : [{ path: pack, note: `was damaged and is made anew (${damage})` }];
  const fresh: { document: Document; passages: Passage[] }[] = [];
  const kept: Document[] = [];
  const stale: Document[] = [];

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
  const keptIds = new Set([...kept, ...stale].map(({ id }) => id));
  const deleted = previous
    ? [...previous.documents.keys()].filter((id) => !files.some((file) => file.id === id)).length
    : 0;
  const content: Draft = {
    documents: [...kept, ...stale, ...fresh.map(({ document }) => document)].sort((a, b) => (a.id < b.id ? -1 : 1)),
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
      fresh.length > 0 || deleted > 0 || previous === undefined || keptIds.size !== previous.documents.size;
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
  const { counts } = await writePack(pack, {
    identity: identityOf(model, rate),
    content,
    ...(signal && { signal }),
  });
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

/** What is in the pack already; of a damaged one, what is wrong with it: it is made anew, as the error itself advises. */
async function openPrevious(pack: string, expect: PackIdentity): Promise<{ previous?: Pack; damage?: string }> {
  const found = await stat(pack).catch(() => undefined);
  if (found === undefined) return {};
  if (!found.isDirectory())
    throw new ClaraError("pack", `${pack} is a file, and a pack is a directory; choose another --pack`);
  const names = await readdir(pack);
  if (names.includes("manifest.json")) {
    try {
      return { previous: await openPack(pack, { expect }) };
    } catch (error) {
      if (!(await isDamaged(pack))) throw error;
      return { damage: (error as Error).message.split("; ")[0]! };
    }
  }
  const other = names.find((name) => !name.startsWith(".") && !interrupted.test(name));
  if (other !== undefined)
    throw new ClaraError(
      "pack",
      `${pack} holds other files and no pack (found ${other}); choose an empty or new directory for --pack`,
    );
  return {};
}

/** What a first run that was killed leaves behind. */
const interrupted =
  /^((documents|passages|memories|keys|bm25)-\d+\.(jsonl|bin|f32)|manifest\.json)(\.tmp)?$|^pack\.lock/;

/** Neither sound but made by another model, nor another program's, nor a newer version's: those are not ours to replace. */
async function isDamaged(pack: string): Promise<boolean> {
  const whole = await openPack(pack).then(
    async (opened) => {
      await opened.close();
      return true;
    },
    (error: unknown) => !(error instanceof ClaraError && error.code === "pack"),
  );
  if (whole) return false;
  try {
    const manifest = JSON.parse(await readFile(join(pack, "manifest.json"), "utf8"));
    return manifest?.format === "clara-pack" && manifest.version === 1;
  } catch (error) {
    return error instanceof SyntaxError;
  }
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
