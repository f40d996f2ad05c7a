import { existsSync, readdirSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";

const root = new URL("../../../", import.meta.url);
const examples = readdirSync(new URL("examples/", root), { recursive: true, encoding: "utf8" })
  .filter((file) => file.endsWith(".ts") && !file.includes("node_modules"))
  .map((file) => readFileSync(new URL(`examples/${file}`, root), "utf8"));

describe.each(["packages/retrieval/README.md", "docs/adding-a-retriever.md", "benchmarks/retrieval/README.md"])(
  "%s",
  (page) => {
    const text = readFileSync(new URL(page, root), "utf8");

    it("shows code only that is a file in examples/, word for word", () => {
      for (const [, code] of text.matchAll(/^```ts\n([\s\S]*?)^```$/gm)) expect(examples).toContain(code);
    });

    it("links only to files that are there", () => {
      for (const [, target] of text.matchAll(/\]\(([^)#]+)[^)]*\)/g)) {
        if (target!.startsWith("http")) continue;
        expect(existsSync(new URL(target!, new URL(page, root))), target).toBe(true);
      }
    });
  },
);
