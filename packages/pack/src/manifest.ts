import { createHash } from "node:crypto";
import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { ClaraError } from "@clara/core";
import { errorCode, fileName, ioError, kinds } from "./files.ts";
import type { Manifest, PackIdentity } from "./types.ts";

export const manifestName = "manifest.json";

/** Of the packs that this program writes and reads. */
export const packVersion = 2;

export function rebuild(directory: string): string {
  return `build it again with \`rag-master index <folder> --pack ${directory}\``;
}

function checksum(manifest: Omit<Manifest, "sha256">): string {
  return createHash("sha256").update(JSON.stringify(manifest)).digest("hex");
}

export function sealed(manifest: Omit<Manifest, "sha256">): Manifest {
  return { ...manifest, sha256: checksum(manifest) };
}

/**
 * The manifest of a pack, checked for form; with `verify` also against its own checksum.
 *
 * @throws ClaraError "pack" when there is no pack, or one of another version, or its manifest is damaged.
 */
export async function readManifest(directory: string, verify: boolean): Promise<Manifest> {
  const path = join(directory, manifestName);
  const damaged = (what: string, cause?: unknown): ClaraError =>
    new ClaraError("pack", `${path}: is damaged: ${what}; ${rebuild(directory)}`, { cause });
  const text = await readText(directory, path);
  let value: Partial<Manifest> | null;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw damaged(`needs JSON, got ${(cause as Error).message}`, cause);
  }
  checkFormat(path, value);
  // Their memories are larger and their keys are kept beside them: reading them as well would not make them small.
  if (value.version !== undefined && value.version < packVersion) {
    throw new ClaraError(
      "pack",
      `${path}: needs version ${packVersion}, got ${value.version}: an earlier program wrote this pack; ${rebuild(directory)}`,
    );
  }
  const wrong = wrongPart(value);
  if (wrong) throw damaged(wrong);
  const { sha256, ...rest } = value as Manifest;
  if (verify && checksum(rest) !== sha256) throw damaged("its content does not have its sha256");
  return value as Manifest;
}

function checkFormat(path: string, value: Partial<Manifest> | null): asserts value is Partial<Manifest> {
  if (value?.format !== "clara-pack") {
    throw new ClaraError(
      "pack",
      `${path}: needs "format": "clara-pack", got ${JSON.stringify(value?.format) ?? "none"}: this folder is not a pack; name another with --pack, or make one with \`rag-master index <folder> --pack <new folder>\``,
    );
  }
  if (typeof value.version === "number" && value.version > packVersion) {
    throw new ClaraError(
      "pack",
      `${path}: needs version ${packVersion}, got ${value.version}: a newer program wrote this pack; update this one, or make another with \`rag-master index <folder> --pack <new folder>\``,
    );
  }
}

/**
 * Keeps a writer from replacing what is not its own: another program's `manifest.json`, or a newer pack.
 * A damaged pack and an older one may be replaced.
 *
 * @param hasPackFiles whether files with names of ours are beside it
 * @throws ClaraError "pack" saying what is there.
 */
export async function checkReplaceable(directory: string, hasPackFiles: boolean): Promise<void> {
  const path = join(directory, manifestName);
  let value: Partial<Manifest> | null = null;
  try {
    value = JSON.parse(await readFile(path, "utf8"));
  } catch (error) {
    if (errorCode(error) === "ENOENT") return;
    if (!(error instanceof SyntaxError)) throw error;
    if (hasPackFiles) return;
  }
  checkFormat(path, value);
}

async function readText(directory: string, path: string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    const code = errorCode(error);
    if (code !== "ENOENT" && code !== "ENOTDIR") throw ioError(path, error, "check the permissions of the folder");
    const found = await stat(directory).catch(() => undefined);
    const what = !found
      ? `there is no folder ${directory}`
      : found.isDirectory()
        ? `${directory} is not a pack: it has no ${manifestName}`
        : `${directory} is a file; a pack is a folder`;
    const target = found && !found.isDirectory() ? "<folder of the pack>" : directory;
    throw new ClaraError("pack", `openPack: ${what}; make a pack with \`rag-master index <folder> --pack ${target}\``, {
      cause: error,
    });
  }
}

/** What is wrong in the form of a manifest, so that the code after it can trust its types. */
function wrongPart({
  version,
  generation,
  identity,
  counts,
  files,
  createdAt,
  sha256,
}: Partial<Manifest>): string | undefined {
  const whole = (value: unknown): boolean => Number.isSafeInteger(value) && (value as number) >= 0;
  if (version !== packVersion) return `needs version ${packVersion}, got ${JSON.stringify(version)}`;
  if (!whole(generation)) return `needs a generation, got ${JSON.stringify(generation)}`;
  for (const name of ["model", "tokenizer", "analyzer"] as const) {
    if (typeof identity?.[name] !== "string") return `needs identity.${name} as a text`;
  }
  for (const name of ["rate", "width"] as const) {
    if (typeof identity?.[name] !== "number") return `needs identity.${name} as a number`;
  }
  if (![2, 4, 8].includes(identity?.bits as number)) return "needs identity.bits as 2, 4 or 8";
  for (const name of ["documents", "passages", "memoryTokens", "memoryBytes", "passageBytes", "textBytes"] as const) {
    if (!whole(counts?.[name])) return `needs counts.${name} as a number`;
  }
  if (!Array.isArray(files)) return "needs a list of files";
  for (const kind of kinds) {
    const name = fileName(kind, generation as number);
    const file = files.find((file) => file?.name === name);
    if (!file || !whole(file.bytes) || typeof file.sha256 !== "string") return `needs an entry for ${name}`;
  }
  if (typeof createdAt !== "string" || typeof sha256 !== "string") return "needs createdAt and sha256";
  return undefined;
}

/** @throws ClaraError "pack" naming what differs. */
export function checkIdentity(directory: string, made: PackIdentity, expected: Partial<PackIdentity>): void {
  const names = Object.keys(expected) as (keyof PackIdentity)[];
  const different = names.filter((name) => expected[name] !== undefined && expected[name] !== made[name]);
  if (different.length === 0) return;
  const list = (identity: Partial<PackIdentity>): string =>
    different.map((name) => `${name} ${identity[name]}`).join(", ");
  // Without it the command would take the configured rate, which need not be the one that was asked for.
  const rate = different.includes("rate") ? ` --rate ${expected.rate}` : "";
  throw new ClaraError(
    "pack",
    `${directory}: the pack was made with ${list(made)}; this is ${list(expected)}; compress it again from its kept text with \`rag-master index --recompress --pack ${directory}${rate}\``,
  );
}
