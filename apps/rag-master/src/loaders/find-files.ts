import { stat } from "node:fs/promises";
import { dirname, relative, resolve, sep } from "node:path";
import { ClaraError, throwIfAborted } from "@clara/core";
import type { FoundFile, Skip } from "./types.ts";
import { addFile, type Walk, type Walked, walkFolder } from "./walk.ts";

export interface FindFilesOptions {
  readonly signal?: AbortSignal;
}

export interface Found {
  /** Sorted by id. */
  readonly files: readonly FoundFile[];
  /** Folders that cannot be read, links to nothing, the same file a second time. */
  readonly skipped: readonly Skip[];
  /** Ids, and beginnings of ids up to a `/` or "", of what may be in folders and files that are there and cannot be read now. */
  readonly unreadable: readonly { readonly id: string; readonly path: string }[];
  /** What was given, as absolute paths, each once: what to watch. */
  readonly roots: readonly string[];
}

/**
 * The files in files and folders, recursively. Hidden files and folders, `node_modules` and packs are left out unless
 * they are given by name. Types are not looked at: `loadFile` says which it cannot read.
 *
 * @throws ClaraError "input" when a path does not exist, "aborted"
 */
export async function findFiles(paths: readonly string[], options: FindFilesOptions = {}): Promise<Found> {
  const { signal } = options;
  const walk: Walk = { skipped: [], seen: new Set(), signal };
  const roots = [...new Set(paths.map((path) => resolve(path)))];
  const groups: { base: string; files: Walked[] }[] = [];
  for (const root of roots) {
    throwIfAborted(signal, "findFiles");
    const isFolder = (await statOf(root)).isDirectory();
    const files = isFolder ? await walkFolder(root, walk) : [];
    if (!isFolder) await addFile(root, files, walk.skipped);
    groups.push({ base: isFolder ? root : dirname(root), files });
  }
  const kept = dropRepeated(groups, walk.skipped);
  return {
    files: withIds(kept),
    skipped: walk.skipped.sort((a, b) => compare(a.path, b.path)),
    unreadable: walk.skipped.flatMap(({ path, unreadable }) => (unreadable ? idsOf(path, groups) : [])),
    roots,
  };
}

/**
 * Ids that a path may have, or those in it begin with. Which of a base's names stand before ids depends on the files of all
 * bases, and some cannot be seen now: where there are several bases, each number of names is possible.
 */
function idsOf(path: string, groups: readonly Group[]): { id: string; path: string }[] {
  const bases = [...new Set(groups.map(({ base }) => base))].filter(
    (base) => path === base || path.startsWith(base.endsWith(sep) ? base : base + sep),
  );
  const several = new Set(groups.map(({ base }) => base)).size > 1;
  return bases.flatMap((base) => {
    const names = several ? base.split(sep).filter(Boolean) : [];
    const own = relative(base, path).split(sep).filter(Boolean);
    return Array.from({ length: names.length + 1 }, (_, depth) => ({
      id: [...(depth === 0 ? [] : names.slice(-depth)), ...own].join("/"),
      path,
    }));
  });
}

async function statOf(path: string): ReturnType<typeof stat> {
  try {
    return await stat(path);
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    const found = code === "ENOENT" || code === "ENOTDIR" ? "there is nothing" : `it cannot be read (${code})`;
    const text = `findFiles: ${path}: needs a file or folder, but ${found}; check the path`;
    throw new ClaraError("input", text, { cause });
  }
}

type Group = { base: string; files: Walked[] };

/** Each real file once: under its own path rather than a link's, otherwise under the path that was given first. */
function dropRepeated(groups: readonly Group[], skipped: Skip[]): Group[] {
  const best = new Map<string, Walked>();
  for (const file of groups.flatMap(({ files }) => files)) {
    const known = best.get(file.real);
    if (!known || (known.path !== known.real && file.path === file.real)) best.set(file.real, file);
  }
  return groups.map(({ base, files }) => ({
    base,
    files: files.filter((file) => {
      const kept = best.get(file.real)!;
      // The same path twice, from two given paths that overlap, is no loss to tell about.
      if (kept.path !== file.path) skipped.push({ path: file.path, reason: `same file as ${kept.path}` });
      return kept === file;
    }),
  }));
}

/** Ids relative to each base; bases with an id in common get as many of their own last names before it as tell them apart. */
function withIds(groups: readonly Group[]): FoundFile[] {
  const byBase = new Map<string, Walked[]>();
  for (const { base, files } of groups) byBase.set(base, [...(byBase.get(base) ?? []), ...files]);
  const depth = new Map([...byBase.keys()].map((base) => [base, 0]));
  const idOf = (base: string, path: string): string => {
    const names = base.split(sep).filter(Boolean);
    const own = depth.get(base)! === 0 ? [] : names.slice(-depth.get(base)!);
    return [...own, ...relative(base, path).split(sep)].join("/");
  };
  for (;;) {
    const owners = new Map<string, Set<string>>();
    for (const [base, files] of byBase) {
      for (const { path } of files) {
        const id = idOf(base, path);
        owners.set(id, (owners.get(id) ?? new Set()).add(base));
      }
    }
    const clashing = new Set([...owners.values()].filter((bases) => bases.size > 1).flatMap((bases) => [...bases]));
    if (clashing.size === 0) break;
    for (const base of clashing) depth.set(base, depth.get(base)! + 1);
  }
  const files = [...byBase].flatMap(([base, list]) =>
    list.map(({ path, bytes }) => ({ path, id: idOf(base, path), bytes })),
  );
  return files.sort((a, b) => compare(a.id, b.id));
}

/** By code unit: the same order on every machine, whatever its language. */
function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
