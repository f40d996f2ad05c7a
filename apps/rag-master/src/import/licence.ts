import { basename, dirname, join, resolve } from "node:path";
import { parse } from "yaml";
import { readIfThere, textOf } from "./small-files.ts";

/**
 * The licence of weights as their folder states it: `license` and `license_name` of README.md's front matter, then the first line
 * of its LICENSE. Published checkpoints lie in `compression-16` and have both one folder above. Null when nothing is said.
 */
export function licenceOf(folder: string): string | null {
  const own = statedIn(folder);
  if (own !== null || !/^compression-\d+$/.test(basename(resolve(folder)))) return own;
  return statedIn(dirname(resolve(folder)));
}

function statedIn(folder: string): string | null {
  const said = [frontMatter(join(folder, "README.md")), firstLine(folder)].filter((text) => text !== null);
  return said.length > 0 ? said.join("; ") : null;
}

function frontMatter(path: string): string | null {
  const text = read(path);
  const found = text === null ? null : /^---\r?\n([\s\S]*?)\r?\n---/.exec(text.slice(0, 100_000));
  if (!found) return null;
  try {
    const { license, license_name: name } = (parse(found[1]!, { maxAliasCount: 0 }) ?? {}) as Record<string, unknown>;
    const words = [license, name].flat().filter((word): word is string => typeof word === "string" && word !== "");
    return words.length > 0 ? short([...new Set(words)].join(", ")) : null;
  } catch {
    return null; // a page for people: what cannot be read states nothing
  }
}

function firstLine(folder: string): string | null {
  for (const name of ["LICENSE", "LICENSE.txt", "LICENSE.md", "LICENCE"]) {
    const line = read(join(folder, name))
      ?.split("\n")
      .map((text) => text.trim())
      .find((text) => text !== "");
    if (line !== undefined) return short(line);
  }
  return null;
}

function read(path: string): string | null {
  try {
    const bytes = readIfThere(path, { most: 10_000_000 });
    return bytes ? textOf(bytes) : null;
  } catch {
    return null;
  }
}

function short(text: string): string {
  return text.length > 120 ? `${text.slice(0, 120)}…` : text;
}
