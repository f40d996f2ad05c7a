import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { openPack, readPackText } from "./open-pack.ts";
import { contentOf, identity, inFolder } from "./testing/sample.ts";
import { writePack } from "./write-pack.ts";

const texts = { "a.md": "Cats sleep all day. Dogs bark at night.", "b/c.md": "Whales sing under water, for hours." };

describe("a pack", () => {
  it("gives back every document, passage and memory", () =>
    inFolder(async (folder) => {
      const content = contentOf(texts);
      const manifest = await writePack(join(folder, "new", "pack"), { identity, content, createdBy: "a test" });
      const pack = await openPack(join(folder, "new", "pack"), { expect: identity });
      expect(pack.manifest).toEqual(manifest);
      expect(manifest).toMatchObject({
        format: "clara-pack",
        version: 2,
        generation: 1,
        identity,
        createdBy: "a test",
      });
      // The four memories have 2, 3, 1 and 2 vectors, of 3 bytes, a scale of 2 and a span; the spans of (2, 3, 4, 5) and such
      // take 1, those that begin at 4 or elsewhere 3; 2 more a passage. Texts of 39 and 35 bytes.
      expect(manifest.counts).toEqual({
        documents: 2,
        passages: 4,
        memoryTokens: 8,
        memoryBytes: 4 * 2 + 8 * (3 + 2 + 1) + 3 * 2,
        passageBytes: 74,
        textBytes: 74,
      });
      const file = manifest.files.find(({ name }) => name === "memories-1.bin");
      expect(file?.bytes, "with a header").toBe(32 + manifest.counts.memoryBytes);
      expect([...pack.documents.values()]).toEqual(content.documents);
      expect([...pack.passages.values()]).toEqual(content.passages);
      for (const { id } of content.passages) {
        expect(pack.memory(id)).toEqual(content.memories.get(id));
      }
      await pack.close();
    }));

  it("answers searches by words, with metadata to filter by", () =>
    inFolder(async (folder) => {
      await writePack(folder, { identity, content: contentOf(texts) });
      const pack = await openPack(folder);
      const byWords = await pack.sparse.search({ text: "who sings under water" }, { k: 1 });
      expect(byWords.map(({ id }) => id)).toEqual(["b/c.md#0"]);
      expect(pack.sparse.idf("whale")).toBeGreaterThan(0);
      const filter = { field: "document", op: "eq", value: "b/c.md" } as const;
      const all = await pack.sparse.search({ text: "dogs bark, whales sing for hours" }, { k: 4 });
      expect(all.map(({ id }) => id).sort()).toEqual(["a.md#19", "b/c.md#0", "b/c.md#17"]);
      const some = await pack.sparse.search({ text: "dogs bark, whales sing for hours" }, { k: 4, filter });
      expect(some.map(({ id }) => id).sort()).toEqual(["b/c.md#0", "b/c.md#17"]);
    }));

  it("may have no memories, or no documents at all", () =>
    inFolder(async (folder) => {
      await writePack(folder, { identity, content: contentOf(texts, { vectors: false }) });
      const pack = await openPack(folder);
      expect(pack.manifest.counts).toMatchObject({ memoryTokens: 0, memoryBytes: 0, passageBytes: 74 });
      expect(() => pack.memory("a.md#0")).toThrow(
        /was written without memories; .*rag-master index --recompress --pack/,
      );
      expect(() => pack.memory("nothing")).toThrow(/has no passage "nothing"/);
      await writePack(folder, { identity, content: contentOf({}) });
      const empty = await openPack(folder);
      expect([empty.documents.size, empty.passages.size]).toEqual([0, 0]);
      expect(await empty.sparse.search({ text: "cats" }, { k: 3 })).toEqual([]);
    }));

  it("keeps arbitrary Unicode, lone surrogates and line ends included", () =>
    inFolder((folder) =>
      fc.assert(
        fc.asyncProperty(
          fc.dictionary(
            fc.string({ unit: "binary", minLength: 1 }).map((id) => `id ${id}`),
            fc.array(
              fc.oneof(
                fc.string({ unit: "binary" }),
                fc.constantFrom("\ud800", "\n", "\r\n", "\u2028", "\0", "\ufeff"),
              ),
            ),
          ),
          async (entries) => {
            const content = contentOf(
              Object.fromEntries(Object.entries(entries).map(([id, parts]) => [id, parts.join("")])),
            );
            await writePack(folder, { identity, content });
            const pack = await openPack(folder);
            expect([...pack.documents.values()]).toEqual(content.documents);
            expect([...pack.passages.values()]).toEqual(content.passages);
            for (const { id } of content.passages) expect(pack.memory(id)).toEqual(content.memories.get(id));
          },
        ),
        { numRuns: 15, seed: 5 },
      ),
    ));

  it("replaces a generation whole, and leaves files that are not its own", () =>
    inFolder(async (folder) => {
      const strangers = [
        "notes.txt",
        "documents-1.txt",
        "documents-x.jsonl",
        "keys-1.f32.bak",
        "toString-1.bin",
        "old-1.bin",
      ];
      for (const name of strangers) await writeFile(join(folder, name), "mine");
      await writePack(folder, { identity, content: contentOf(texts) });
      await writePack(folder, { identity, content: contentOf({ d: "Only this is left." }) });
      const pack = await openPack(folder);
      expect([...pack.documents.keys()]).toEqual(["d"]);
      expect((await readdir(folder)).sort()).toEqual(
        [...strangers, "bm25-2.bin", "documents-2.jsonl", "manifest.json", "memories-2.bin", "passages-2.jsonl"].sort(),
      );
    }));

  it("stays readable in an open pack while it is replaced, and opens while it is replaced", () =>
    inFolder(async (folder) => {
      await writePack(folder, { identity, content: contentOf(texts) });
      const before = await openPack(folder);
      const write = (async () => {
        for (let i = 0; i < 15; i++)
          await writePack(folder, { identity, content: contentOf({ [`d${i}`]: `text ${i}` }) });
        return "done" as const;
      })();
      for (let done: string | undefined; !done; ) {
        const pack = await openPack(folder);
        expect(pack.documents.size).toBeGreaterThan(0);
        done = await Promise.race([write, Promise.resolve(undefined)]);
      }
      expect(before.documents.get("a.md")?.text).toBe(texts["a.md"]);
      expect(before.memory("a.md#0").count).toBe(2);
    }));

  it("gives its text to a program with another identity, even when vectors are damaged", () =>
    inFolder(async (folder) => {
      const content = contentOf(texts);
      await writePack(folder, { identity, content });
      await writeFile(join(folder, "memories-1.bin"), "broken");
      const { documents, passages, manifest } = await readPackText(folder);
      expect(documents).toEqual(content.documents);
      expect(passages).toEqual(content.passages);
      expect(manifest.identity).toEqual(identity);
    }));

  it("holds passages as places in their documents, not as a second copy of the text", () =>
    inFolder(async (folder) => {
      await writePack(folder, { identity, content: contentOf(texts) });
      expect(await readFile(join(folder, "passages-1.jsonl"), "utf8")).not.toContain("Whales");
    }));
});
