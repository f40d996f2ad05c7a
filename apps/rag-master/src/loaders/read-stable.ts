import { type FileHandle, open } from "node:fs/promises";
import type { Skipped } from "./types.ts";

/** The part of a file handle that is used: tests change a file between two calls. */
type OpenFile = (path: string) => Promise<Pick<FileHandle, "stat" | "readFile" | "close">>;

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: "gone since it was found",
  EACCES: "not readable: permission denied",
  EPERM: "not readable: permission denied",
  EISDIR: "not a regular file",
};

/** Reads a file once; a file that changes meanwhile is read a second time, then given up. */
export async function readStable(
  path: string,
  maxBytes: number,
  openFile: OpenFile = open,
): Promise<{ bytes: Uint8Array } | Skipped> {
  for (let attempt = 1; ; attempt++) {
    try {
      const file = await openFile(path);
      try {
        const before = await file.stat();
        if (!before.isFile()) return { skip: "not a regular file" };
        if (before.size > maxBytes) return { skip: `larger than ${megabytes(maxBytes)} (${megabytes(before.size)})` };
        const bytes = await file.readFile();
        const after = await file.stat();
        const stable = before.size === after.size && before.mtimeMs === after.mtimeMs && bytes.length === after.size;
        if (stable) return { bytes };
      } finally {
        await file.close();
      }
    } catch (error) {
      const { code = "", message } = error as NodeJS.ErrnoException;
      return { skip: REASONS[code] ?? `not readable: ${message}` };
    }
    if (attempt === 2) return { skip: "changed while it was read (twice)" };
  }
}

function megabytes(bytes: number): string {
  return bytes < 100_000 ? `${bytes} bytes` : `${(bytes / 1e6).toFixed(1)} MB`;
}
