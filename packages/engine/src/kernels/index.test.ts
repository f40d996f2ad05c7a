import { readdirSync, readFileSync } from "node:fs";
import { tf } from "@clara/tensor";
import { describe, expect, it } from "vitest";
import { kernels } from "./index.ts";

const folder = new URL(".", import.meta.url);
const files = readdirSync(folder).filter((name) => /^[a-z-]+\.ts$/.test(name));
const sourceOf = (name: string): string => readFileSync(new URL(name, folder), "utf8");
const tests = readdirSync(folder).filter((name) => name.endsWith(".test.ts") && !/^(index|random-graph)/.test(name));

describe("kernels", () => {
  it.each(Object.keys(kernels))("%s has a test of its own", (name) => {
    expect(tests.some((file) => new RegExp(`\\b${name}(: |")`).test(sourceOf(file)))).toBe(true);
  });

  it("are defined once each, in files that are all listed", () => {
    const defined = files.flatMap((file) => {
      const [, name] = /export const (\w+): Readonly<Record<string, Kernel>>/.exec(sourceOf(file)) ?? [];
      return name && name !== "kernels" ? [name] : [];
    });
    const listed = [...sourceOf("index.ts").matchAll(/^ {2}\.\.\.(\w+),$/gm)].map(([, name]) => name);
    expect(listed.sort()).toEqual(defined.sort());
  });

  it("have the names of TensorFlow.js's own, or of @clara/tensor's", () => {
    const known = new Set<unknown>(Object.values(tf).filter((value) => typeof value === "string"));
    expect(Object.keys(kernels).filter((name) => !known.has(name) && !name.startsWith("Clara"))).toEqual([]);
  });
});
