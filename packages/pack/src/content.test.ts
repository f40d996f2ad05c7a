import { readdir } from "node:fs/promises";
import { describe, expect, it } from "vitest";
import { diffDocuments } from "./diff-documents.ts";
import { contentOf, identity, inFolder } from "./testing/sample.ts";
import type { PackContent, PackIdentity, QuantizedMemory } from "./types.ts";
import { writePack } from "./write-pack.ts";

const content = contentOf({ a: "One two three four.", b: "Five six." });
const [first, ...others] = content.passages;
const memory = content.memories.get("a#0")!;
const changed = (change: Partial<QuantizedMemory>): Pick<PackContent, "memories"> => ({
  memories: new Map([...content.memories, ["a#0", { ...memory, ...change }]]),
});

describe("writePack", () => {
  it.each<[string, string | RegExp, Partial<PackContent>]>([
    ["option", 'two documents have the id "a"', { documents: [...content.documents, content.documents[0]!] }],
    ["option", 'two passages have the id "a#0"', { passages: [...content.passages, first!] }],
    [
      "option",
      'passage "a#0" is of document "z", which is not',
      { passages: [{ ...first!, document: "z" }, ...others] },
    ],
    [
      "option",
      'the text of passage "a#0" must be document.text.slice',
      { passages: [{ ...first!, text: "x" }, ...others] },
    ],
    ["option", /got another text at -1 to 9/, { passages: [{ ...first!, start: -1 }, ...others] }],
    [
      "option",
      'metadata.x of document "a" must be',
      { documents: [{ ...content.documents[0]!, metadata: { x: Number.NaN } }] },
    ],
    [
      "option",
      /needs memories for all 4 passages or for none, got 3; passage "a#0" has none/,
      { memories: new Map([...content.memories].filter(([id]) => id !== "a#0")) },
    ],
    [
      "option",
      /needs memories .* got 5; some are of unknown/,
      { memories: new Map([...content.memories, ["z", memory]]) },
    ],
    [
      "shape",
      /memory of passage "a#0" \(M = 2\) needs rate, width, .* of 2, 3, 8, 6, 2, 2, 4, got 2, 3, 8, 6, 1, 2, 4/,
      changed({ scales: new Uint16Array(1) }),
    ],
    ["shape", /got 4, 3, 8, 6, 2, 2, 4/, changed({ rate: 4 })],
    ["shape", /got 2, 3, 4, 6, 2, 2, 4/, changed({ bits: 4 })],
    ["shape", "need 2 tokens each, and the last one 1 to 2; vector 0 has 1", changed({ tokens: Uint16Array.of(1, 2) })],
    ["shape", "the last one 1 to 2; vector 1 has 0", changed({ tokens: Uint16Array.of(2, 0) })],
    ["shape", "the last one 1 to 2; vector 1 has 3", changed({ tokens: Uint16Array.of(2, 3) })],
    [
      "option",
      'the scale of vector 1 of passage "a#0" is not finite',
      changed({ scales: Uint16Array.of(0x3c00, 0x7c00) }),
    ],
  ])("refuses content that contradicts itself (%s: %s), before it touches the disk", async (code, message, change) =>
    inFolder(async (folder) => {
      const written = writePack(folder, { identity, content: { ...content, ...change } });
      await expect(written).rejects.toThrow(message);
      await expect(written).rejects.toMatchObject({ code });
      expect(await readdir(folder)).toEqual([]);
    }),
  );

  it.each<[Partial<PackIdentity>, string]>([
    [{ width: 0 }, "identity.width must be a whole number from 1, got 0"],
    [{ rate: 1.5 }, "identity.rate must be a whole number from 1, got 1.5"],
    [{ analyzer: "other" }, "identity.analyzer must be the analyzer's id"],
    [{ width: 4 }, 'the memory of passage "a#0"'],
    [{ bits: 5 as 4 }, "identity.bits must be 2, 4 or 8, got 5"],
  ])("refuses the identity %j", async (change, message) =>
    inFolder((folder) =>
      expect(writePack(folder, { identity: { ...identity, ...change }, content })).rejects.toThrow(message),
    ),
  );
});

describe("diffDocuments", () => {
  it("sorts ids by what has to be done", () => {
    const existing = [
      { id: "same", hash: "1" },
      { id: "edited", hash: "1" },
      { id: "gone", hash: "1" },
    ];
    const found = [
      { id: "new", hash: "9" },
      { id: "edited", hash: "2" },
      { id: "same", hash: "1" },
    ];
    expect(diffDocuments(existing, found)).toEqual({
      added: ["new"],
      changed: ["edited"],
      unchanged: ["same"],
      deleted: ["gone"],
    });
    expect(diffDocuments([], [])).toEqual({ added: [], changed: [], unchanged: [], deleted: [] });
  });

  it("refuses an id that was found twice", () => {
    expect(() =>
      diffDocuments(
        [],
        [
          { id: "a", hash: "1" },
          { id: "a", hash: "2" },
        ],
      ),
    ).toThrow('diffDocuments: the id "a" was found twice; ids must be unique');
  });
});
