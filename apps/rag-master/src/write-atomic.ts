import { type FileHandle, open, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";
import { ClaraError } from "@clara/core";

/** Puts all bytes into an open file; the place where a full disk shows. */
export type Write = (file: FileHandle, bytes: Uint8Array) => Promise<void>;

export const writeToDisk: Write = (file, bytes) => file.writeFile(bytes);

/**
 * Writes a file whole or not at all: under a temporary name, synced, renamed. What had the name before stays until then,
 * and stays for good when writing fails.
 *
 * @throws ClaraError "io" when the file system refuses; the temporary file is gone then, so that it takes no room.
 */
export async function writeAtomic(
  path: string,
  content: Uint8Array | string,
  write: Write = writeToDisk,
): Promise<void> {
  const bytes = typeof content === "string" ? new TextEncoder().encode(content) : content;
  const temporary = `${path}.tmp`;
  try {
    const file = await open(temporary, "w");
    try {
      await write(file, bytes);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
    await syncFolder(dirname(path));
  } catch (cause) {
    await rm(temporary, { force: true }).catch(() => {});
    throw ioError(`${path} (${bytes.length} bytes)`, cause);
  }
}

/** The file system's refusal as an error of ours. */
export function ioError(what: string, cause: unknown): ClaraError {
  if (cause instanceof ClaraError) return cause;
  const { code = "", message = String(cause) } = (cause ?? {}) as NodeJS.ErrnoException;
  const why = code === "ENOSPC" || code === "EDQUOT" ? `the disk is full (${message}); make room` : message;
  return new ClaraError("io", `${what}: cannot be written: ${why}`, { cause });
}

/** Makes a rename last through a power cut. */
async function syncFolder(folder: string): Promise<void> {
  // Windows has no such call: opening a folder fails there.
  if (process.platform === "win32") return;
  const handle = await open(folder, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
