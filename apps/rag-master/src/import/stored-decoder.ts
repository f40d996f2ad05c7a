import { existsSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { ClaraError } from "@clara/core";
import { openSafetensors, type StoredTensor } from "@clara/model";
import { type FileSource, openSource } from "./file-source.ts";

const single = "model.safetensors";
const index = "model.safetensors.index.json";

/** The tensors of a decoder in a folder of Hugging Face's, in one file or in shards, each read when it is asked for. */
export interface StoredDecoder {
  readonly files: readonly { readonly name: string; readonly bytes: number }[];
  readonly tensors: Readonly<Record<string, StoredTensor>>;
  close(): void;
}

/**
 * Opens all shards and checks that they hold what the index promises, before any number is read.
 *
 * @throws ClaraError "weights" that names what is missing, cut or not as the index says.
 */
export function openStoredDecoder(folder: string): StoredDecoder {
  const map = readMap(folder);
  const names = map ? [...new Set(Object.values(map))].sort() : [single];
  const missing = names.filter((name) => !existsSync(join(folder, name)));
  if (missing.length > 0) {
    const of = map ? `, of the ${names.length} that ${index} names` : `; a model has ${single}, or shards and ${index}`;
    throw new ClaraError("weights", `${folder}: ${missing.join(", ")} missing${of}; copy the folder again, whole`);
  }
  const opened: FileSource[] = [];
  const close = (): void => {
    for (const source of opened.splice(0)) source.close();
  };
  try {
    const tensors: Record<string, StoredTensor> = {};
    const files = names.map((name) => {
      const source = openSource(join(folder, name));
      opened.push(source);
      const held = explained(source.path, () => openSafetensors(source).tensors);
      for (const [tensor, stored] of Object.entries(held)) {
        if (tensor in tensors) throw new ClaraError("weights", `${source.path}: "${tensor}" is in another shard too`);
        tensors[tensor] = stored;
      }
      const absent = Object.entries(map ?? {}).find(([tensor, shard]) => shard === name && !(tensor in held));
      if (absent)
        throw new ClaraError("weights", `${source.path}: has no "${absent[0]}", which ${index} says is there`);
      return { name, bytes: source.size };
    });
    return { files, tensors, close };
  } catch (error) {
    close();
    throw error;
  }
}

/** Tensor to shard; undefined when the model is one file. */
function readMap(folder: string): Readonly<Record<string, string>> | undefined {
  const path = join(folder, index);
  if (existsSync(join(folder, single)) || !existsSync(path)) return undefined;
  const damaged = (what: string): never => {
    throw new ClaraError("weights", `${path}: ${what}; copy it again`);
  };
  const json = (() => {
    try {
      return JSON.parse(readFileSync(path, "utf8")) as { weight_map?: unknown } | null;
    } catch (error) {
      return damaged(`is not JSON: ${(error as Error).message}`);
    }
  })();
  const map = json?.weight_map;
  if (typeof map !== "object" || map === null || Array.isArray(map)) return damaged("has no weight_map");
  // A name with a path in it could lead anywhere.
  const odd = Object.entries(map).find(([, shard]) => typeof shard !== "string" || basename(shard) !== shard);
  if (odd) return damaged(`weight_map has ${JSON.stringify(odd[1])} for "${odd[0]}"; expected a file beside it`);
  return map as Record<string, string>;
}

/** The file's name before what is wrong with it. */
export function explained<T>(path: string, action: () => T): T {
  try {
    return action();
  } catch (cause) {
    if (!(cause instanceof ClaraError)) throw cause;
    throw new ClaraError(cause.code, `${path}: ${cause.message.replace(/^\w+: /, "")}`, { cause });
  }
}
