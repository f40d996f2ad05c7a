import { createReadStream, existsSync, statSync } from "node:fs";
import { createInterface } from "node:readline";
import { createGunzip } from "node:zlib";
import { ClaraError } from "@clara/core";

/** Lines of a text file, gzipped or not. */
export async function* linesOf(file: string): AsyncGenerator<string, void, undefined> {
  if (!existsSync(file)) throw new ClaraError("input", `${file}: no such file`);
  if (statSync(file).isDirectory()) throw new ClaraError("input", `${file}: is a directory, a file is needed`);
  const bytes = createReadStream(file);
  const text = file.endsWith(".gz") ? bytes.pipe(createGunzip()) : bytes;
  // pipe() does not pass errors on: a read error would otherwise leave the gunzip waiting for ever.
  bytes.on("error", (error) => text.destroy(error));
  try {
    yield* createInterface({ input: text, crlfDelay: Number.POSITIVE_INFINITY });
    if (text.errored) throw text.errored;
  } catch (cause) {
    throw new ClaraError(
      "input",
      `${file}: cannot be read (${cause instanceof Error ? cause.message : String(cause)})`,
      { cause },
    );
  }
}

/** The first that exists of `<path>` and `<path>.gz`. */
export function plainOrGzipped(path: string): string {
  const found = [path, `${path}.gz`].find((candidate) => existsSync(candidate));
  if (found === undefined)
    throw new ClaraError(
      "input",
      `${path}: no such file, nor ${path}.gz; a BEIR folder has corpus.jsonl, queries.jsonl and qrels/test.tsv`,
    );
  return found;
}
