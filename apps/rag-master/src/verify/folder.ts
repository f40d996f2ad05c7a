import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join, relative, sep } from "node:path";
import { ClaraError, type Weights } from "@clara/core";
import { readWeights, toFloat32 } from "@clara/model";
import { linesOf } from "@clara/train";
import { explained, openStoredDecoder } from "../import/stored-decoder.ts";

/** A file that a check needs and the folder lacks: the check is skipped, not failed. */
export class MissingFile extends ClaraError {
  constructor(path: string) {
    super("input", `needs ${path}`);
  }
}

/** Files below one folder; paths are relative to it, with "/". */
export interface Folder {
  readonly path: string;
  has(file: string): boolean;
  bytes(file: string): Uint8Array;
  /** @throws ClaraError "input" when it is no JSON. */
  json<T>(file: string): T;
  lines(file: string): string[];
  /** A safetensors file as float32. */
  weights(file: string): Weights;
  /** The weights of a decoder in one file or in shards, as float32. */
  decoder(folder: string): Weights;
  /** Names in a folder, sorted; with an ending only those files, without it. Empty when there is no such folder. */
  names(folder: string, ending?: string): string[];
  /** Paths of folders at any depth below one, that hold a file of this name. */
  foldersWith(folder: string, file: string): string[];
}

/** @throws ClaraError "input" when it is no folder. */
export function openFolder(path: string): Folder {
  if (!existsSync(path)) throw new ClaraError("input", `${path}: no such folder`);
  if (!statSync(path).isDirectory()) throw new ClaraError("input", `${path}: is a file, a folder is needed`);
  const at = (file: string): string => {
    const full = join(path, file);
    // A path from a file of the folder is not to lead out of it.
    if (relative(path, full).split(sep)[0] === "..")
      throw new ClaraError("input", `${JSON.stringify(file)} leads out of ${path}`);
    return full;
  };
  const isFolder = (full: string): boolean => existsSync(full) && statSync(full).isDirectory();
  const bytes = (file: string): Uint8Array => {
    const full = at(file);
    if (!existsSync(full)) throw new MissingFile(file);
    return readFileSync(full);
  };
  const names: Folder["names"] = (folder, ending = "") => {
    const full = at(folder);
    if (!isFolder(full)) return [];
    const found = readdirSync(full).filter((name) => name.endsWith(ending));
    return found.map((name) => name.slice(0, name.length - ending.length)).sort();
  };
  const foldersWith: Folder["foldersWith"] = (folder, file) => {
    const below = names(folder).filter((name) => isFolder(at(`${folder}/${name}`)));
    return [
      ...(existsSync(at(`${folder}/${file}`)) ? [folder] : []),
      ...below.flatMap((name) => foldersWith(`${folder}/${name}`, file)),
    ];
  };
  return {
    path,
    bytes,
    names,
    foldersWith,
    has: (file) => existsSync(at(file)),
    json: (file) => {
      const text = new TextDecoder().decode(bytes(file));
      try {
        return JSON.parse(text);
      } catch (cause) {
        throw new ClaraError("input", `${file} is no JSON: ${(cause as Error).message}`, { cause });
      }
    },
    lines: (file) => [...linesOf(bytes(file))],
    weights: (file) => {
      const content = bytes(file);
      return explained(file, () => readWeights(content));
    },
    decoder: (folder) => {
      if (!["model.safetensors", "model.safetensors.index.json"].some((file) => existsSync(at(`${folder}/${file}`))))
        throw new MissingFile(`${folder}/model.safetensors`);
      const { tensors, close } = openStoredDecoder(at(folder));
      try {
        const read = Object.entries(tensors).map(([name, { dtype, shape, read }]) => [
          name,
          { shape, data: toFloat32({ dtype, shape, bytes: read() }) },
        ]);
        return Object.fromEntries(read);
      } finally {
        close();
      }
    },
  };
}
