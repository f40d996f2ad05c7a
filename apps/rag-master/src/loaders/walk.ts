import type { Dirent, Stats } from "node:fs";
import { open, readdir, realpath, stat } from "node:fs/promises";
import { join } from "node:path";
import { throwIfAborted } from "@clara/core";
import type { Skip } from "./types.ts";

/** A file on the way, before it has an id. */
export interface Walked {
  readonly path: string;
  /** Without symbolic links: the same for the same file. */
  readonly real: string;
  readonly bytes: number;
}

/** What is known across all folders of one search. */
export interface Walk {
  readonly skipped: Skip[];
  /** Real paths of the folders that were read. */
  readonly seen: Set<string>;
  readonly signal?: AbortSignal | undefined;
  /** Replaced in tests. @default node's readdir */
  readonly list?: (path: string) => Promise<Dirent[]>;
}

const listFolder = (path: string): Promise<Dirent[]> => readdir(path, { withFileTypes: true });

/**
 * All files below a folder, hidden ones, `node_modules` and packs left out. Linked folders come last, so that a file
 * has the path without a link when it has one; a folder is read once, so that a loop ends.
 */
export async function walkFolder(root: string, walk: Walk): Promise<Walked[]> {
  const { skipped, seen, signal, list = listFolder } = walk;
  const files: Walked[] = [];
  const folders = [{ path: root, linked: false }];
  const links: typeof folders = [];
  for (let folder = folders.pop(); folder; folder = folders.pop() ?? links.shift()) {
    throwIfAborted(signal, "findFiles");
    const { path, linked } = folder;
    try {
      const real = await realpath(path);
      if (seen.has(real)) {
        if (linked) skipped.push({ path, reason: "link to a folder that is read already" });
        continue;
      }
      seen.add(real);
      if (await isPack(path)) continue;
      for (const entry of await list(path)) {
        if (entry.name.startsWith(".") || entry.name === "node_modules") continue;
        const child = join(path, entry.name);
        if (entry.isDirectory()) folders.push({ path: child, linked: false });
        else if (entry.isSymbolicLink() && (await statOf(child)).info?.isDirectory())
          links.push({ path: child, linked: true });
        else await addFile(child, files, skipped);
      }
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      skipped.push({ path, reason: `folder cannot be read: ${code ?? error}`, ...(!isGone(code) && unreadable) });
    }
  }
  return files;
}

/** One file, or the reason why not. */
export async function addFile(path: string, files: Walked[], skipped: Skip[]): Promise<void> {
  const { info, code } = await statOf(path);
  if (!info && isGone(code)) skipped.push({ path, reason: "link to nothing" });
  else if (!info) skipped.push({ path, reason: `cannot be read: ${code}`, ...unreadable });
  else if (!info.isFile()) skipped.push({ path, reason: "not a regular file" });
  else files.push({ path, real: await realpath(path).catch(() => path), bytes: info.size });
}

const unreadable = { unreadable: true } as const;

/** Deleted, before the search or during it, or a link that leads nowhere. */
function isGone(code: string | undefined): boolean {
  return code === "ENOENT" || code === "ENOTDIR" || code === "ELOOP";
}

async function statOf(path: string): Promise<{ info?: Stats; code?: string | undefined }> {
  return stat(path).then(
    (info) => ({ info }),
    (error: NodeJS.ErrnoException) => ({ code: error.code }),
  );
}

/** A folder that holds a pack: its texts are copies of what was indexed. */
async function isPack(path: string): Promise<boolean> {
  const file = await open(join(path, "manifest.json")).catch(() => undefined);
  if (!file) return false;
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(4096), 0, 4096, 0);
    return buffer.subarray(0, bytesRead).includes("clara-pack");
  } catch {
    return false;
  } finally {
    await file.close();
  }
}
