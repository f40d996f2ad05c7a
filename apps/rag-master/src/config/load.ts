import { readFile } from "node:fs/promises";
import { ClaraError } from "@clara/core";
import { parseConfig } from "./parse.ts";
import type { ParsedConfig } from "./types.ts";

/** Bytes; the longest honest configuration is a few kB. */
const LARGEST = 256 * 1024;

/**
 * Reads a configuration file.
 *
 * @throws ClaraError "config" when the file is missing, unreadable, not UTF-8, or not a configuration (see `parseConfig`).
 */
export async function loadConfig(path: string): Promise<ParsedConfig> {
  const bytes = await readFile(path).catch((cause: NodeJS.ErrnoException) => {
    throw new ClaraError("config", `${path}: ${REASONS[cause.code ?? ""] ?? cause.message}`, { cause });
  });
  if (bytes.length > LARGEST) {
    throw new ClaraError("config", `${path}: is ${bytes.length} bytes; a configuration has at most ${LARGEST}`);
  }
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new ClaraError("config", `${path}: is not UTF-8 text; save it as UTF-8`, { cause });
  }
  return parseConfig(text, path);
}

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: "there is no such file; expected a configuration like rag_config.yaml",
  EISDIR: "is a folder; expected a configuration file like rag_config.yaml",
  EACCES: "may not be read; check the file's permissions",
  ENOTDIR: "a part of this path is a file, not a folder",
};
