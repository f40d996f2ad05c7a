import { readFile, stat } from "node:fs/promises";
import { promisify } from "node:util";
import { gunzip } from "node:zlib";
import { ClaraError } from "@clara/core";
import type { DataFile } from "@clara/train";
import { suggest } from "../config/suggest.ts";
import { hashOf } from "../model-folder.ts";

const unzip = promisify(gunzip);

/** What has been read: with it a run that is resumed sees that it goes on with the same data. */
export interface DataIdentity extends DataFile {
  /** Of the file as it lies there. */
  readonly sha256: string;
  readonly bytes: number;
}

export interface DataReader {
  /** Bytes of a file by the recipe's name for it, unpacked. */
  read(name: string): Promise<Uint8Array>;
}

/** The recipe's data with `--data name=path` in place of its paths. @throws ClaraError "option" for an unknown name. */
export function withPaths(
  data: Readonly<Record<string, DataFile>>,
  given: readonly string[],
): Readonly<Record<string, DataFile>> {
  const changed = { ...data };
  for (const pair of given) {
    const at = pair.indexOf("=");
    const [name, path] = [pair.slice(0, at), pair.slice(at + 1)];
    if (at < 1 || path === "") {
      throw new ClaraError("option", `--data: needs name=path, got "${pair}"`);
    }
    const file = changed[name];
    if (!Object.hasOwn(data, name) || file === undefined) {
      const names = Object.keys(data);
      const meant = suggest(name, names);
      const known = names.length === 0 ? "it reads none" : `it reads ${names.join(", ")}`;
      throw new ClaraError(
        "option",
        `--data: the recipe reads no "${name}"; ${meant ? `did you mean "${meant}"?` : known}`,
      );
    }
    changed[name] = { ...file, path };
  }
  return changed;
}

/** Says before the engine starts which files are missing. @throws ClaraError "input", one a line. */
export async function checkData(data: Readonly<Record<string, DataFile>>): Promise<void> {
  const missing = await Promise.all(
    Object.entries(data).map(async ([name, { path, about }]) => {
      const found = await stat(path).catch(() => undefined);
      const why = found === undefined ? "no such file" : found.isFile() ? undefined : "is no file";
      return (
        why && `${path}: ${why}; it is the recipe's "${name}" (${about}): put it there, or say --data ${name}=PATH`
      );
    }),
  );
  const problems = missing.filter((line) => line !== undefined);
  if (problems.length > 0) throw new ClaraError("input", problems.join("\n"));
}

/**
 * @param onRead told of each file when it has been read; may throw.
 * @throws ClaraError "option" for a name that the recipe does not list, "input" for a file that cannot be read.
 */
export function dataReader(
  data: Readonly<Record<string, DataFile>>,
  onRead: (name: string, identity: DataIdentity) => void,
): DataReader {
  return {
    async read(name) {
      const file = Object.hasOwn(data, name) ? data[name] : undefined;
      if (file === undefined) {
        throw new ClaraError(
          "option",
          `read: the recipe lists no data "${name}", only ${Object.keys(data).join(", ")}`,
        );
      }
      const bytes = await readFile(file.path).catch((cause: unknown) => {
        throw new ClaraError("input", `${file.path}: cannot be read: ${(cause as Error).message}`, { cause });
      });
      onRead(name, { ...file, sha256: hashOf(bytes), bytes: bytes.length });
      if (bytes[0] !== 0x1f || bytes[1] !== 0x8b) return bytes;
      return unzip(bytes).catch((cause: unknown) => {
        throw new ClaraError("input", `${file.path}: is damaged: ${(cause as Error).message}; copy it again`, {
          cause,
        });
      });
    },
  };
}
