import { lstatSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";

/** What becomes of a file: bytes to bytes. */
export type Change = (bytes: Buffer) => Uint8Array;

/** A folder with links to another's files, of which some are changed, and some are left out: by path or its beginning. */
export function folderLike(
  from: string,
  to: string,
  { changed = {}, without = [] }: { changed?: Readonly<Record<string, Change>>; without?: readonly string[] } = {},
): string {
  const copy = (path: string): void => {
    if (without.some((left) => path === left || path.startsWith(`${left}/`))) return;
    const [source, target] = [resolve(from, path), join(to, path)];
    if (lstatSync(source).isDirectory()) {
      mkdirSync(target, { recursive: true });
      for (const name of readdirSync(source)) copy(path === "" ? name : `${path}/${name}`);
    } else symlinkSync(source, target);
  };
  copy("");
  for (const [path, change] of Object.entries(changed)) {
    const target = join(to, path);
    rmSync(target);
    writeFileSync(target, change(readFileSync(resolve(from, path))));
  }
  return to;
}

/** Changes something in a JSON file. */
export function json(change: (value: Json) => void): Change {
  return (bytes) => {
    const value = JSON.parse(bytes.toString());
    change(value);
    return Buffer.from(JSON.stringify(value));
  };
}

/** Adds to the first number of each of these tensors of a safetensors file, float32. */
export function numbers(keys: readonly string[], add = 0.5): Change {
  return (bytes) => {
    const copy = Buffer.from(bytes);
    const start = 8 + Number(copy.readBigUInt64LE());
    const header = JSON.parse(copy.toString("utf8", 8, start));
    for (const key of keys) {
      const at = start + header[key].data_offsets[0];
      copy.writeFloatLE(copy.readFloatLE(at) + add, at);
    }
    return copy;
  };
}

/** The first half of a file. */
export const cut: Change = (bytes) => bytes.subarray(0, bytes.length / 2);

// biome-ignore lint/suspicious/noExplicitAny: recorded values of many forms
export type Json = any;
