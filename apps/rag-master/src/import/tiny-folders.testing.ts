import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach } from "vitest";
import { checkTables, inspect } from "./inspect.ts";
import { writeTinyBase, writeTinyCheckpoint } from "./tiny-checkpoint.testing.ts";

let folder: string;
/** A path in a folder with `base` and `checkpoint`, made anew for each test. */
export const at = (name: string): string => join(folder, name);
const kept = mkdtempSync(join(tmpdir(), "clara-import-kept-"));
beforeAll(() => {
  writeTinyBase(join(kept, "base"));
  writeTinyCheckpoint(join(kept, "checkpoint"));
});
afterAll(() => rmSync(kept, { recursive: true }));
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "clara-import-"));
  cpSync(kept, folder, { recursive: true });
});
afterEach(() => rmSync(folder, { recursive: true }));

/** Looks at a checkpoint as `import` does; `base` "" leaves --base out. */
export async function look(path = "checkpoint", base = "base"): Promise<ReturnType<typeof inspect>> {
  const inspected = inspect(at(path), { base: base === "" ? undefined : at(base), precision: "int4" });
  try {
    await checkTables(inspected);
  } finally {
    inspected.close();
  }
  return inspected;
}

/** Changes fields of a JSON file. */
export const json = (path: string, change: object): void =>
  writeFileSync(at(path), JSON.stringify({ ...JSON.parse(readFileSync(at(path), "utf8")), ...change }));
