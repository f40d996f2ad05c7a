import { createHash, randomUUID } from "node:crypto";
import { mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { deserialize, serialize } from "node:v8";

/** Changes when programs are written in another form. */
const format = "clara-program-1";

/**
 * A program that was kept under a key; undefined when there is none, or when the file is not whole.
 *
 * @param folder as the engine's `cacheFolder`
 */
export async function recall(folder: string, key: string): Promise<unknown> {
  const bytes = await readFile(fileOf(folder, key)).catch(() => undefined);
  if (bytes === undefined || bytes.length < 32) return undefined;
  const body = bytes.subarray(32);
  if (!bytes.subarray(0, 32).equals(digest(body))) return undefined;
  return deserialize(body);
}

/** Keeps a program. A cache that cannot be written is no error: the program is traced again next time. */
export async function keep(folder: string, key: string, value: unknown): Promise<void> {
  const body = serialize(value);
  const file = fileOf(folder, key);
  const draft = `${file}.${randomUUID()}`;
  try {
    await mkdir(folder, { recursive: true });
    await writeFile(draft, Buffer.concat([digest(body), body]));
    // Readers see the old file or the new one, never half of it.
    await rename(draft, file);
  } catch {
    await rm(draft, { force: true }).catch(() => {});
  }
}

function fileOf(folder: string, key: string): string {
  return join(folder, `${digest(Buffer.from(`${format}\n${key}`)).toString("hex")}.program`);
}

function digest(bytes: Uint8Array): Buffer {
  return createHash("sha256").update(bytes).digest();
}
