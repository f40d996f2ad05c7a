import { mkdir, readdir, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Answer } from "./answer.ts";

/** Records of answers that a pack keeps. */
const mostRecords = 1000;

/**
 * Writes an answer's record into `records/` beside the pack's files, and removes the oldest ones beyond `most`.
 *
 * Throws nothing: an answer is worth more than its record, and a full or read-only disk does not stop it.
 *
 * @param options.most at least 1. @default 1000
 */
export async function keepRecord(
  pack: string,
  given: Pick<Answer, "record">,
  { most = mostRecords }: { readonly most?: number } = {},
): Promise<void> {
  try {
    const folder = join(pack, "records");
    await mkdir(folder, { recursive: true });
    await writeFile(join(folder, `${given.record}.json`), `${JSON.stringify(given, undefined, 2)}\n`);
    await prune(folder, most);
  } catch {
    // See above.
  }
}

/** Leaves files with other names than records have alone. */
async function prune(folder: string, most: number): Promise<void> {
  const names = (await readdir(folder)).filter((name) => /^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}\.json$/.test(name));
  if (names.length <= most) return;
  const dated = await Promise.all(
    names.map(async (name) => ({
      name,
      written: (await stat(join(folder, name)).catch(() => undefined))?.mtimeMs ?? 0,
    })),
  );
  dated.sort((a, b) => b.written - a.written);
  for (const { name } of dated.slice(most)) await rm(join(folder, name), { force: true });
}
