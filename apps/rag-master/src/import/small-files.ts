import { readFileSync, statSync } from "node:fs";
import { ClaraError } from "@clara/core";

/** The largest tokenizer.json there is has a third of it. */
const mostBytes = 100_000_000;

/** Bytes of a file that is no weights: a larger one is not read. @throws ClaraError "weights" when it cannot be. */
export function readSmall(path: string, { most = mostBytes }: { readonly most?: number } = {}): Uint8Array {
  const bytes = readIfThere(path, { most });
  if (bytes) return bytes;
  throw new ClaraError("weights", `${path}: no such file`);
}

/** As `readSmall`; undefined when there is none. */
export function readIfThere(
  path: string,
  { most = mostBytes }: { readonly most?: number } = {},
): Uint8Array | undefined {
  try {
    const stat = statSync(path, { throwIfNoEntry: false });
    if (stat === undefined) return undefined;
    if (!stat.isFile()) throw new ClaraError("weights", `${path}: is no file`);
    if (stat.size > most) {
      throw new ClaraError(
        "weights",
        `${path}: has ${stat.size} bytes, more than ${most}; it is not what its name says`,
      );
    }
    return readFileSync(path);
  } catch (cause) {
    if (cause instanceof ClaraError) throw cause;
    throw new ClaraError("weights", `${path}: cannot be read: ${(cause as Error).message}`, { cause });
  }
}

/** @throws ClaraError "weights" when it is no JSON object. */
export function parseObject(path: string, bytes: Uint8Array): Readonly<Record<string, unknown>> {
  let json: unknown;
  try {
    json = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch (cause) {
    throw new ClaraError("weights", `${path}: is not JSON: ${(cause as Error).message}; copy it again`, { cause });
  }
  if (typeof json === "object" && json !== null && !Array.isArray(json)) return json as Record<string, unknown>;
  throw new ClaraError("weights", `${path}: must be a JSON object`);
}

/** config.json of a folder. */
export function readConfig(path: string): Readonly<Record<string, unknown>> {
  return parseObject(path, readSmall(path, { most: 1_000_000 }));
}

export function textOf(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes);
}
