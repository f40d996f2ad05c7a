import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join, relative, sep } from "node:path";
import { fileURLToPath } from "node:url";

/** The repository's own folder, absolute. */
export const ROOT: string = fileURLToPath(new URL("../../", import.meta.url));

/** A workspace member that is published. */
export interface Member {
  /** `@clara/core`. */
  readonly name: string;
  /** `packages/core`. */
  readonly folder: string;
  readonly manifest: Manifest;
}

export interface Manifest {
  readonly name: string;
  readonly private?: boolean;
  readonly exports?: Readonly<Record<string, unknown>>;
  readonly bin?: Readonly<Record<string, string>>;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
  readonly peerDependencies?: Readonly<Record<string, string>>;
  readonly devDependencies?: Readonly<Record<string, string>>;
}

/** Every package and app, in order of name. */
export function members(): Member[] {
  const folders = ["packages", "apps"].flatMap((group) =>
    readdirSync(join(ROOT, group)).map((name) => `${group}/${name}`),
  );
  return folders
    .filter((folder) => existsSync(join(ROOT, folder, "package.json")))
    .map((folder) => {
      const manifest = JSON.parse(read(`${folder}/package.json`)) as Manifest;
      return { name: manifest.name, folder, manifest };
    })
    .filter(({ manifest }) => manifest.private !== true)
    .sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** A file's text, by its path in the repository. */
export function read(path: string): string {
  return readFileSync(join(ROOT, path), "utf8");
}

/** What .gitignore keeps out, and git itself. */
const IGNORED = new Set([
  ".git",
  "node_modules",
  "dist",
  ".turbo",
  ".clara",
  "coverage",
  ".cache",
  ".peers",
  "scratch",
]);

/** Every file below a folder that git does not ignore, as paths in the repository with `/`, sorted. */
export function files(folder = "."): string[] {
  const found: string[] = [];
  const walk = (path: string) => {
    for (const entry of readdirSync(path, { withFileTypes: true })) {
      if (IGNORED.has(entry.name)) continue;
      if (entry.isDirectory()) walk(join(path, entry.name));
      else if (!/\.(tsbuildinfo|tgz)$/.test(entry.name)) found.push(join(path, entry.name));
    }
  };
  if (existsSync(join(ROOT, folder))) walk(join(ROOT, folder));
  return found.map((path) => relative(ROOT, path).split(sep).join("/")).sort();
}
