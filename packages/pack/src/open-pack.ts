import { endianness } from "node:os";
import { join } from "node:path";
import { ClaraError, type Document, type Passage } from "@clara/core";
import { type Analyzer, type Bm25Retriever, bm25, englishAnalyzer } from "@clara/retrieval";
import { errorCode, fileName, ioError, type Kind, readFile } from "./files.ts";
import { parseLines } from "./lines.ts";
import { checkIdentity, readManifest, rebuild } from "./manifest.ts";
import { openMemories } from "./memory-file.ts";
import { parseDocument, passageParser } from "./text.ts";
import type { Manifest, Pack, PackIdentity } from "./types.ts";

export interface OpenPackOptions {
  /** What the pack must have been made with: the fields that matter to the caller. */
  readonly expect?: Partial<PackIdentity>;
  /** False skips checksums and identity: for rescuing what can still be read. @default true */
  readonly verify?: boolean;
  /** Must be the one of the pack. @default englishAnalyzer */
  readonly analyzer?: Analyzer;
}

/** The text of a pack, without what was computed from it. */
export interface PackText {
  readonly manifest: Manifest;
  readonly documents: Document[];
  readonly passages: Passage[];
}

/**
 * Reads a pack into memory, every byte checked against its manifest. A writer may replace the pack meanwhile.
 *
 * @throws ClaraError "pack" naming the file, what it needs, what was found and the command that helps; "io" when the file
 *   system refuses.
 */
export function openPack(directory: string, options: OpenPackOptions = {}): Promise<Pack> {
  return current(directory, options.verify ?? true, (manifest) => read(directory, manifest, options));
}

/**
 * Documents and passages alone, whatever the pack was made with: all that compressing again needs.
 *
 * @throws ClaraError as `openPack`, but not for another identity or damage in other files.
 */
export function readPackText(directory: string): Promise<PackText> {
  return current(directory, true, async (manifest) => ({ manifest, ...(await readText(directory, manifest, true)) }));
}

/** A writer deletes the old generation after its commit: when files go missing, the new one is there. */
async function current<T>(directory: string, verify: boolean, use: (manifest: Manifest) => Promise<T>): Promise<T> {
  for (let manifest = await readManifest(directory, verify); ; ) {
    try {
      return await use(manifest);
    } catch (error) {
      const next = await readManifest(directory, verify);
      if (next.generation === manifest.generation) throw error;
      manifest = next;
    }
  }
}

async function read(directory: string, manifest: Manifest, options: OpenPackOptions): Promise<Pack> {
  const { expect = {}, verify = true, analyzer = englishAnalyzer } = options;
  if (endianness() !== "LE") throw new ClaraError("unsupported", "openPack: needs a little-endian machine");
  const { identity } = manifest;
  if (verify) checkIdentity(directory, identity, { analyzer: analyzer.id, ...expect });

  const text = await readText(directory, manifest, verify);
  const documents = new Map(text.documents.map((document) => [document.id, document]));
  const passages = new Map(text.passages.map((passage) => [passage.id, passage]));
  const places = new Map(text.passages.map(({ id }, at) => [id, at]));
  const N = places.size;
  const memoryAt = await readBinary(directory, manifest, "memories", verify, (b) => openMemories(b, N, identity));
  const sparse = await readBinary(directory, manifest, "bm25", verify, (snapshot) => bm25({ analyzer, snapshot }));

  return {
    directory,
    manifest,
    identity,
    documents,
    passages,
    memory(passage) {
      const place = places.get(passage);
      if (place === undefined) throw new ClaraError("pack", `${directory}: has no passage "${passage}"`);
      if (!memoryAt) {
        throw new ClaraError(
          "pack",
          `${directory}: was written without memories; make them with \`rag-master index --recompress --pack ${directory}\``,
        );
      }
      return memoryAt(place);
    },
    sparse: sparse satisfies Bm25Retriever,
    close: () => sparse.close(),
  };
}

async function readText(
  directory: string,
  manifest: Manifest,
  verify: boolean,
): Promise<{ documents: Document[]; passages: Passage[] }> {
  const lines = async <T extends { id: string }>(
    kind: "documents" | "passages",
    parse: (value: unknown) => T,
  ): Promise<T[]> => {
    const { path, bytes } = await readChecked(directory, manifest, kind, verify);
    const values = parseLines(bytes, path, rebuild(directory), parse);
    const wanted = manifest.counts[kind];
    if (values.length !== wanted || new Set(values.map(({ id }) => id)).size !== wanted) {
      throw new ClaraError(
        "pack",
        `${path}: needs ${wanted} different ${kind}, got ${values.length} lines; ${rebuild(directory)}`,
      );
    }
    return values;
  };
  const documents = await lines("documents", parseDocument);
  const byId = new Map(documents.map((document) => [document.id, document]));
  return { documents, passages: await lines("passages", passageParser(byId)) };
}

/** Whatever opening the bytes throws becomes an error about the file. */
async function readBinary<T>(
  directory: string,
  manifest: Manifest,
  kind: Kind,
  verify: boolean,
  open: (bytes: Uint8Array) => T,
): Promise<T> {
  const { path, bytes } = await readChecked(directory, manifest, kind, verify);
  try {
    return open(bytes);
  } catch (cause) {
    throw new ClaraError("pack", `${path}: ${(cause as Error).message}; ${rebuild(directory)}`, { cause });
  }
}

async function readChecked(
  directory: string,
  manifest: Manifest,
  kind: Kind,
  verify: boolean,
): Promise<{ path: string; bytes: Uint8Array }> {
  const name = fileName(kind, manifest.generation);
  const path = join(directory, name);
  const wanted = manifest.files.find((file) => file.name === name)!;
  let found: Awaited<ReturnType<typeof readFile>>;
  try {
    found = await readFile(path, verify);
  } catch (error) {
    if (errorCode(error) !== "ENOENT") throw ioError(path, error, "check the permissions and the disk");
    throw new ClaraError("pack", `${path}: is missing; ${rebuild(directory)}`, { cause: error });
  }
  const { bytes, sha256 } = found;
  if (verify && bytes.byteLength !== wanted.bytes) {
    throw new ClaraError(
      "pack",
      `${path}: needs ${wanted.bytes} bytes, got ${bytes.byteLength}; ${rebuild(directory)}`,
    );
  }
  if (verify && sha256 !== wanted.sha256) {
    throw new ClaraError(
      "pack",
      `${path}: is damaged: needs sha256 ${wanted.sha256.slice(0, 12)}…, got ${sha256?.slice(0, 12)}…; ${rebuild(directory)}`,
    );
  }
  return { path, bytes };
}
