import { mkdirSync, readdirSync, readFileSync, utimesSync, writeFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { keepRecord } from "./keep-record.ts";

let pack = "";
beforeEach(async () => {
  pack = await mkdtemp(join(tmpdir(), "clara-records-"));
});
afterEach(() => rm(pack, { recursive: true, force: true }));

const id = (n: number): string => `00000000-0000-4000-8000-${String(n).padStart(12, "0")}`;
const kept = (): string[] => readdirSync(join(pack, "records")).sort();

/** A record that was written `minutes` ago. */
function old(n: number, minutes: number): void {
  mkdirSync(join(pack, "records"), { recursive: true });
  writeFileSync(join(pack, "records", `${id(n)}.json`), "{}");
  const time = Date.now() / 1000 - 60 * minutes;
  utimesSync(join(pack, "records", `${id(n)}.json`), time, time);
}

describe("keepRecord", () => {
  it("writes the record as JSON, in a folder that it makes", async () => {
    await keepRecord(pack, { record: id(1) });
    expect(JSON.parse(readFileSync(join(pack, "records", `${id(1)}.json`), "utf8"))).toEqual({ record: id(1) });
  });

  it("removes the oldest beyond the number to keep, by when they were written", async () => {
    old(5, 10);
    old(3, 30);
    old(4, 20);
    await keepRecord(pack, { record: id(1) }, { most: 3 });
    expect(kept()).toEqual([1, 4, 5].map((n) => `${id(n)}.json`));
    await keepRecord(pack, { record: id(2) }, { most: 2 });
    expect(kept()).toEqual([1, 2].map((n) => `${id(n)}.json`));
  });

  it("keeps 1000 when nothing else is said", async () => {
    for (let n = 1; n <= 1002; n++) old(n, n);
    await keepRecord(pack, { record: id(0) });
    expect(kept()).toEqual(Array.from({ length: 1000 }, (_, n) => `${id(n)}.json`));
  });

  it("counts and removes no file that is not a record", async () => {
    old(1, 10);
    writeFileSync(join(pack, "records", "notes.json"), "mine");
    utimesSync(join(pack, "records", "notes.json"), 1, 1);
    await keepRecord(pack, { record: id(2) }, { most: 1 });
    expect(kept()).toEqual([`${id(2)}.json`, "notes.json"]);
  });

  it("lets an answer go on where nothing can be written", async () => {
    writeFileSync(join(pack, "records"), "a file in the folder's place");
    await expect(keepRecord(pack, { record: id(1) })).resolves.toBeUndefined();
  });
});
