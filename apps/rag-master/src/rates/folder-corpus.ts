import { ClaraError, type Document, type Passage } from "@clara/core";
import { type Corpus, corpusOf } from "../corpus.ts";
import { findFiles, loadFile } from "../loaders/index.ts";
import type { Model } from "../model.ts";
import { splitDocument } from "../split/index.ts";

/** Files and folders as documents and passages, before they are compressed. */
export interface Folder {
  readonly documents: readonly Document[];
  readonly passages: readonly Passage[];
  /** UTF-8 bytes of the passages' texts. */
  readonly textBytes: number;
}

/** Most bytes of memory that the memories of a measurement may take while they are made. */
const mostBytes = 2 * 2 ** 30;

/** @throws ClaraError "input" when there is nothing to read. */
export async function readFolder(paths: readonly string[], { tokenizer, passageTokens }: Model): Promise<Folder> {
  const { files } = await findFiles(paths);
  const loaded = await Promise.all(files.map((file) => loadFile(file).catch(() => undefined)));
  const used = loaded.filter((file) => file !== undefined && "document" in file);
  const splitting = { tokens: tokenizer.count, maxTokens: passageTokens };
  const passages = used.flatMap(({ document, blocks }) => splitDocument(document, blocks, splitting));
  if (passages.length === 0) throw new ClaraError("input", `bench: ${paths.join(", ")}: there is no text to compress`);
  return {
    documents: used.map(({ document }) => document),
    passages,
    textBytes: passages.reduce((sum, { text }) => sum + Buffer.byteLength(text), 0),
  };
}

/** @throws ClaraError "input" when the memories would not fit into this process. */
export async function corpusOfFolder(
  { documents, passages, textBytes }: Folder,
  rate: number,
  model: Model,
  options: { readonly signal?: AbortSignal; readonly onProgress?: (done: number, total: number) => void } = {},
): Promise<Corpus> {
  // About four bytes of text are a token; a vector is here as float32, and once more in each coarser rate.
  const bytes = (textBytes / 4 / rate) * model.width * 4 * 2;
  if (bytes > mostBytes) {
    throw new ClaraError(
      "input",
      `bench --rates: the memories of ${passages.length} passages at rate ${rate} would take about ${(bytes / 2 ** 30).toFixed(1)} GiB of memory, at most ${mostBytes / 2 ** 30} are taken; leave out the finest rates (--rates 8,16,32) or give fewer files`,
    );
  }
  const memories = await model.compressor.compress(passages, { rate, ...options });
  return corpusOf(documents, passages, memories, model.memoryBits);
}
