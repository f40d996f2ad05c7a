import { readFileSync } from "node:fs";
import { expect, it } from "vitest";

it("shows the example of examples/pack-write-and-open.ts word for word in the README", () => {
  const readme = readFileSync(new URL("../README.md", import.meta.url), "utf8");
  const example = readFileSync(new URL("../../../examples/pack-write-and-open.ts", import.meta.url), "utf8");
  expect([...readme.matchAll(/```ts\n(.*?)```/gs)].map((block) => block[1])).toEqual([example]);
});
