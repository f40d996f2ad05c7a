import { chmod, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { englishAnalyzer } from "@clara/retrieval";
import { describe, expect, it } from "vitest";
import { openPack, readPackText } from "./open-pack.ts";
import { contentOf, identity, inFolder } from "./testing/sample.ts";
import { writePack } from "./write-pack.ts";

const content = contentOf({ "a.md": "Cats sleep all day.", "b.md": "Whales sing under water." });
const files = ["documents-1.jsonl", "passages-1.jsonl", "memories-1.bin", "bm25-1.bin"];
const rebuild = "rag-master index <folder> --pack";

async function withPack(use: (folder: string) => Promise<void>): Promise<void> {
  await inFolder(async (folder) => {
    await writePack(folder, { identity, content });
    await use(folder);
  });
}

async function expectDamage(folder: string, ...parts: (string | RegExp)[]): Promise<void> {
  const opened = openPack(folder);
  await expect(opened).rejects.toMatchObject({ name: "ClaraError", code: "pack" });
  for (const part of parts) await expect(opened).rejects.toThrow(part);
}

describe("a damaged pack", () => {
  it.each(files)("is named when one bit of %s is flipped, wherever it is", (name) =>
    withPack(async (folder) => {
      const path = join(folder, name);
      const whole = await readFile(path);
      for (const at of [0, whole.length >> 1, whole.length - 1]) {
        const bytes = Buffer.from(whole);
        bytes[at]! ^= 4;
        await writeFile(path, bytes);
        await expectDamage(folder, `${path}: is damaged: needs sha256 `, rebuild);
      }
    }),
  );

  it.each(files)("is named when %s is cut or missing", (name) =>
    withPack(async (folder) => {
      const path = join(folder, name);
      const whole = await readFile(path);
      await writeFile(path, whole.subarray(0, -1));
      await expectDamage(folder, `${path}: needs ${whole.length} bytes, got ${whole.length - 1}`, rebuild);
      await writeFile(path, "");
      await expectDamage(folder, `${path}: needs ${whole.length} bytes, got 0`);
      await rm(path);
      await expectDamage(folder, `${path}: is missing`, rebuild);
    }),
  );

  it("is named when one character of the manifest is changed or it is cut", () =>
    withPack(async (folder) => {
      const path = join(folder, "manifest.json");
      const whole = await readFile(path, "utf8");
      for (const [at, character] of [...whole].entries()) {
        // White space between the parts means nothing; every fifth other character is enough.
        if (/\s/.test(character) || at % 5 > 0) continue;
        await writeFile(
          path,
          whole.slice(0, at) + String.fromCharCode(character.charCodeAt(0) ^ 1) + whole.slice(at + 1),
        );
        await expectDamage(folder, path, "rag-master index <folder> --pack");
      }
      await writeFile(path, whole.slice(0, 100));
      await expectDamage(folder, `${path}: is damaged: needs JSON`, rebuild);
    }));

  it("is read without verify as far as its form allows, and the line that does not is named", () =>
    withPack(async (folder) => {
      const path = join(folder, "documents-1.jsonl");
      const whole = await readFile(path, "utf8");
      await writeFile(path, whole.replace("Whales", "Snails"));
      const pack = await openPack(folder, { verify: false, expect: { model: "another" } });
      expect(pack.documents.get("b.md")?.text).toBe("Snails sing under water.");
      const cases: [string, RegExp][] = [
        [whole.replace('{"id":"b.md"', '{"id":"b.md'), /documents-1\.jsonl line 2: .*JSON.*rag-master index/],
        [whole.replace('"hash":', '"hush":'), /documents-1\.jsonl line 1: needs "hash" as a text, got undefined/],
        [
          whole.replace('{"size":19}', '{"size":[]}'),
          /line 1: needs "metadata.size" as a text, number or boolean, got \[\]/,
        ],
        [whole.replace(/.*\n/, ""), /documents-1\.jsonl: needs 2 different documents, got 1 lines/],
        [whole.replace("b.md", "a.md"), /needs 2 different documents, got 2 lines/],
        [`${whole.slice(0, -1)}\n[]`, /line 3: needs a JSON object/],
        [whole.replace(".", ""), /passages-1\.jsonl line 1: is of document "a.md", which is not in the pack/],
        [whole.replace(" under water", ""), /passages-1\.jsonl line 4: needs "end" between 0 and 12, got 24/],
      ];
      for (const [text, message] of cases) {
        await writeFile(path, text);
        await expect(openPack(folder, { verify: false })).rejects.toThrow(message);
      }
      await writeFile(path, Buffer.from([0xff]));
      await expect(openPack(folder, { verify: false })).rejects.toThrow(/documents-1\.jsonl line 1: /);
    }));

  it("is named without verify when vectors do not fit together", () =>
    withPack(async (folder) => {
      const path = join(folder, "memories-1.bin");
      const whole = await readFile(path);
      // Header of 32 bytes, 8 vectors: scales until 48, values until 72, windows: count, tokens that are missing, spans.
      const cases: [(view: DataView) => void, RegExp][] = [
        [(view) => view.setUint8(0, 0), /memories-1\.bin: needs the letters CLMEMORY/],
        [(view) => view.setUint32(8, 1, true), /needs version 2 of the memory format, got 1/],
        [(view) => view.setUint32(12, 9, true), /needs memories of 4 passages, got 9/],
        [(view) => view.setUint32(16, 9, true), /needs memories of width 3, got 9/],
        [(view) => view.setUint32(20, 9, true), /needs memories of rate 2, got 9/],
        [(view) => view.setUint32(24, 4, true), /needs memories of bits 8, got 4/],
        [(view) => view.setUint32(28, 1e9, true), /needs \d+ bytes for 1000000000 vectors, got/],
        [(view) => view.setUint32(28, 7, true), /memories-1\.bin: /],
        [(view) => view.setUint8(72, 3), /memories-1\.bin: /],
        [(view) => view.setUint8(73, 2), /memory 0 needs at least one token behind its last vector/],
        [(view) => view.setUint8(view.byteLength - 1, 255), /ends within its windows/],
      ];
      for (const [change, message] of cases) {
        const bytes = Uint8Array.from(whole);
        change(new DataView(bytes.buffer));
        await writeFile(path, bytes);
        await expect(openPack(folder, { verify: false })).rejects.toThrow(message);
      }
      await writeFile(path, Buffer.concat([whole, Buffer.of(0)]));
      await expect(openPack(folder, { verify: false })).rejects.toThrow(
        new RegExp(`memories-1\\.bin: needs ${whole.length} bytes for its memories, got ${whole.length + 1}`),
      );
      await writeFile(path, whole);
      await writeFile(join(folder, "bm25-1.bin"), "four");
      await expect(openPack(folder, { verify: false })).rejects.toThrow(/bm25-1\.bin: .*snapshot/);
    }));
});

describe("what is not a pack", () => {
  it("is told apart: no folder, a file, no manifest, another's manifest", () =>
    inFolder(async (folder) => {
      await expectDamage(join(folder, "none"), `there is no folder ${join(folder, "none")}`, rebuild);
      await expectDamage(folder, `${folder} is not a pack: it has no manifest.json`, rebuild);
      const file = join(folder, "file");
      await writeFile(file, "");
      await expectDamage(file, `${file} is a file; a pack is a folder`, rebuild);
      await writeFile(join(folder, "manifest.json"), '{"name":"my web page"}');
      await expectDamage(folder, 'needs "format": "clara-pack", got none: this folder is not a pack', rebuild);
      await writeFile(join(folder, "manifest.json"), "null");
      await expectDamage(folder, "this folder is not a pack");
      await writeFile(join(folder, "manifest.json"), '{"format":"clara-pack","version":3}');
      await expectDamage(folder, "needs version 2, got 3: a newer program wrote this pack");
      await writeFile(join(folder, "manifest.json"), '{"format":"clara-pack","version":2,"generation":1}');
      await expectDamage(folder, "is damaged: needs identity.model as a text", rebuild);
    }));

  it.skipIf(process.platform === "win32" || process.getuid?.() === 0)("says when the file system refuses", () =>
    withPack(async (folder) => {
      await chmod(join(folder, "memories-1.bin"), 0);
      await expect(openPack(folder)).rejects.toMatchObject({ code: "io" });
    }),
  );

  it("says when a folder stands in a file's place", () =>
    withPack(async (folder) => {
      await rm(join(folder, "memories-1.bin"));
      await inFolder(async (other) => {
        await writePack(other, { identity, content });
        await rename(other, join(folder, "memories-1.bin"));
      });
      await expect(openPack(folder)).rejects.toThrow(/memories-1\.bin: EISDIR/);
    }));
});

describe("a pack of version 1", () => {
  it("is refused with the command that makes it again, and its files go when that is done", () =>
    withPack(async (folder) => {
      const manifest = await readFile(join(folder, "manifest.json"), "utf8");
      await writeFile(join(folder, "manifest.json"), manifest.replace('"version": 2', '"version": 1'));
      await writeFile(join(folder, "keys-1.f32"), "keys");
      await expectDamage(folder, "needs version 2, got 1: an earlier program wrote this pack; build it again", rebuild);
      await expect(readPackText(folder)).rejects.toThrow(/an earlier program/);
      await writePack(folder, { identity, content });
      expect((await openPack(folder)).documents.size).toBe(2);
      expect(await readdir(folder)).toHaveLength(5);
    }));
});

describe("a pack of another identity", () => {
  it("is refused with both identities and the way out, and its text can be read", () =>
    withPack(async (folder) => {
      await expectDamageOf(
        { model: "mini-2", rate: 2, width: 4, bits: 4 },
        `${folder}: the pack was made with model mini-1, width 3, bits 8; this is model mini-2, width 4, bits 4; compress it again from its kept text with \`rag-master index --recompress --pack ${folder}\``,
      );
      await expect(openPack(folder, { analyzer: { ...englishAnalyzer, id: "german-1" } })).rejects.toThrow(
        /made with analyzer .*; this is analyzer german-1/,
      );
      expect((await readPackText(folder)).documents).toHaveLength(2);
      async function expectDamageOf(expected: object, message: string): Promise<void> {
        await expect(openPack(folder, { expect: expected })).rejects.toThrow(message);
      }
    }));
});
