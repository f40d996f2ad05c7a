import { type Passage, throwIfAborted } from "@clara/core";
import { findFiles, loadFile } from "../loaders/index.ts";
import type { Model } from "../model.ts";
import { splitDocument } from "../split/index.ts";

export interface ReadPassages {
  readonly documents: number;
  readonly passages: readonly Passage[];
  /** Why files were left out. */
  readonly problems: readonly { readonly path: string; readonly reason: string }[];
}

/** The passages of files and folders, as `index` cuts them. A file that cannot be read is listed and stops nothing. */
export async function readPassages(
  paths: readonly string[],
  { tokenizer, passageTokens }: Pick<Model, "tokenizer" | "passageTokens">,
  { signal, onProgress }: { signal?: AbortSignal; onProgress?: (done: number, total: number) => void } = {},
): Promise<ReadPassages> {
  const { files, skipped } = await findFiles(paths, { ...(signal && { signal }) });
  const problems = [...skipped];
  const passages: Passage[] = [];
  let documents = 0;
  for (const [i, file] of files.entries()) {
    throwIfAborted(signal, "synthesize");
    onProgress?.(i, files.length);
    try {
      const loaded = await loadFile(file, { ...(signal && { signal }) });
      if ("skip" in loaded) {
        problems.push({ path: file.id, reason: loaded.skip });
        continue;
      }
      documents++;
      passages.push(
        ...splitDocument(loaded.document, loaded.blocks, { tokens: tokenizer.count, maxTokens: passageTokens }),
      );
    } catch (error) {
      throwIfAborted(signal, "synthesize");
      problems.push({ path: file.id, reason: error instanceof Error ? error.message : String(error) });
    }
  }
  onProgress?.(files.length, files.length);
  return { documents, passages, problems };
}
