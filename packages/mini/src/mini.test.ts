import { createHash } from "node:crypto";
import { readFileSync, statSync } from "node:fs";
import { expect, it } from "vitest";
import { mini } from "./mini.ts";

const describeFile = (url: URL): { sha256: string; bytes: number } => {
  const bytes = readFileSync(url);
  return { sha256: createHash("sha256").update(bytes).digest("hex"), bytes: bytes.length };
};

it("names files that are there, with the sha256 and size they have", () => {
  for (const what of ["weights", "tokenizer"] as const) {
    expect(describeFile(mini.files[what])).toEqual({ sha256: mini.sha256[what], bytes: mini.bytes[what] });
  }
  expect(statSync(mini.files.card).size).toBeGreaterThan(1000);
});

it("has an id that changes with the weights", () => {
  expect(mini.id).toBe(`clara-mini-0.3+${mini.sha256.weights.slice(0, 12)}`);
});

it("says in config.json what it says in code", () => {
  const { id, files, ...config } = JSON.parse(readFileSync(mini.files.config, "utf8"));
  expect({ id, config }).toEqual({ id: mini.id, config: mini.config });
  for (const what of ["weights", "tokenizer"] as const) {
    expect(files[what]).toMatchObject({ sha256: mini.sha256[what], bytes: mini.bytes[what] });
  }
});

it("is at most 45 MB", () => {
  expect(mini.bytes.weights + mini.bytes.tokenizer).toBeLessThanOrEqual(45_000_000);
});

it("carries the licence and the attribution of what it was made from", () => {
  expect(readFileSync(new URL("../data/LICENSE-APACHE-2.0.txt", import.meta.url), "utf8")).toContain(
    "Version 2.0, January 2004",
  );
  const notice = readFileSync(new URL("../NOTICE", import.meta.url), "utf8");
  expect(notice).toContain("all-MiniLM-L6-v2");
  expect(notice).toContain("CC BY-SA 4.0");
});
