import { readdirSync } from "node:fs";
import { expect, it } from "vitest";
import { retrievers } from "./index.ts";

it("registers every file in this folder, under the name that its retriever has", () => {
  const files = readdirSync(new URL(".", import.meta.url))
    .filter((file) => file.endsWith(".ts") && !file.endsWith(".test.ts") && file !== "index.ts")
    .map((file) => file.slice(0, -3));
  expect(Object.keys(retrievers).sort(), "a file is missing from src/retrievers/index.ts").toEqual(files.sort());
  for (const [name, make] of Object.entries(retrievers)) expect(make().name).toBe(name);
});

it("finds nothing under the names that every object has", () => {
  for (const name of ["constructor", "toString"]) expect(retrievers[name]).toBeUndefined();
});
