import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import { ClaraError } from "@clara/core";
import type { ByteSource } from "@clara/model";

/** Bytes that are read at once: Node.js takes fewer than 2 GiB. */
const most = 2 ** 30;

/** A file that is read in pieces. */
export interface FileSource extends ByteSource {
  readonly path: string;
  close(): void;
}

/** @throws ClaraError "weights" when there is no such file, or it cannot be read. */
export function openSource(path: string): FileSource {
  const file = attempt(path, () => openSync(path, "r"));
  const { size } = attempt(path, () => fstatSync(file));
  return {
    path,
    size,
    read(offset, length) {
      const bytes = new Uint8Array(length);
      let at = 0;
      while (at < length) {
        const read = attempt(path, () => readSync(file, bytes, at, Math.min(most, length - at), offset + at));
        if (read === 0)
          throw new ClaraError("weights", `${path}: ends at byte ${offset + at}; it was cut while being read`);
        at += read;
      }
      return bytes;
    },
    close: () => closeSync(file),
  };
}

function attempt<T>(path: string, action: () => T): T {
  try {
    return action();
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    const what = code === "ENOENT" ? "no such file" : code === "EISDIR" ? "is a folder" : `cannot be read: ${message}`;
    throw new ClaraError("weights", `${path}: ${what}`, { cause });
  }
}
