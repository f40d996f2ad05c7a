import { readdir } from "node:fs/promises";
import { describe, expect, it } from "vitest";
import { diffDocuments } from "./diff-documents.ts";
import { contentOf, identity, inFolder } from "./testing/sample.ts";
import type { PackContent, PackIdentity } from "./types.ts";
import { writePack } from "./write-pack.ts";

const content = contentOf({ a: "One two three four.", b: "Five six." });
const [first, ...others] = content.passages;
const without = (id: string): Pick<PackContent, "keys"> => ({
  keys: new Map([...content.keys].filter(([each]) => each !== id)),
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
    ["option", /needs keys for all 4 passages or for none, got 3; passage "a#0" has none/, without("a#0")],
    [
      "option",
      /needs memories .* got 5; some are of unknown/,
      { memories: new Map([...content.memories, ["z", content.memories.get("a#0")!]]) },
    ],
    [
      "shape",
      'the key of passage "a#0" needs 3 numbers, got 2',
      { keys: new Map([...content.keys, ["a#0", new Float32Array(2)]]) },
    ],
    [
      "option",
      'the key of passage "a#0" is not finite',
      { keys: new Map([...content.keys, ["a#0", new Float32Array(3).fill(Number.NaN)]]) },
    ],
    [
      "shape",
      /memory of passage "a#0" \(M = 2\) needs width, .* of 3, 6, 2, 2, 4, got 3, 6, 1, 2, 4/,
      {
        memories: new Map([
          ...content.memories,
          ["a#0", { ...content.memories.get("a#0")!, scales: new Float32Array(1) }],
        ]),
      },
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
