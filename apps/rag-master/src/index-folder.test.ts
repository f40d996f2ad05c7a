import { chmodSync, mkdirSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { openPack } from "@clara/pack";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { defaultConfig } from "./config/index.ts";
import { type IndexOptions, type IndexReport, identityOf, indexFolder, recompress } from "./index-folder.ts";
import { loadModel, type Model } from "./model.ts";
import { asOrdinaryUser } from "./testing/ordinary-user.ts";

let model: Model;
beforeAll(async () => {
  model = await loadModel(defaultConfig());
});
afterAll(() => model.dispose());

let root = "";
let docs = "";
let pack = "";
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "clara-index-"));
  docs = join(root, "docs");
  pack = join(root, "pack");
  write("tent.md", "# Tent\n\nThe tent weighs 2.4 kg.\n");
  write("sub/stove.txt", "The stove costs 45 euros.");
});
afterEach(() => rm(root, { recursive: true, force: true }));

function write(name: string, content: string | Uint8Array): void {
  mkdirSync(dirname(join(docs, name)), { recursive: true });
  writeFileSync(join(docs, name), content);
}

async function index(options: Partial<IndexOptions> = {}): Promise<IndexReport> {
  const report = await indexFolder([docs], { pack, model, rate: 16, ...options });
  expect(report.found, "counts add up").toBe(report.indexed + report.unchanged + report.skipped + report.failed);
  return report;
}

async function texts(rate: number = 16): Promise<Record<string, string>> {
  const opened = await openPack(pack, { expect: identityOf(model, rate) });
  const found = Object.fromEntries([...opened.documents.values()].map(({ id, text }) => [id, text]));
  await opened.close();
  return found;
}

const bytes = (): Record<string, string> =>
  Object.fromEntries(readdirSync(pack).map((name) => [name, readFileSync(join(pack, name), "base64")]));

describe("indexFolder", () => {
  it("indexes new files, skips what it cannot read, and says why", async () => {
    write("logo.png", "x");
    write("binary.md", Uint8Array.of(0x89, 0x50, 0, 0));
    const report = await index();
    expect(report).toMatchObject({ pack, found: 4, indexed: 2, unchanged: 0, skipped: 2, failed: 0, deleted: 0 });
    expect(report).toMatchObject({ passages: 2, dryRun: false });
    // Each text is one window of less than 16 tokens: 256 numbers in 2 bits, a scale, a span, and 2 bytes a passage.
    const text = "# Tent\n\nThe tent weighs 2.4 kg.The stove costs 45 euros.";
    expect(report).toMatchObject({ memoryTokens: 2, memoryBytes: 2 * (64 + 2 + 1 + 2), textBytes: text.length });
    expect(report.problems.map(({ path }) => path).sort()).toEqual(["binary.md", "logo.png"]);
    expect(await texts()).toEqual({
      "sub/stove.txt": "The stove costs 45 euros.",
      "tent.md": "# Tent\n\nThe tent weighs 2.4 kg.\n",
    });
  });

  it("finds everything unchanged the second time, and writes nothing", async () => {
    const first = await index();
    const before = bytes();
    const second = await index();
    expect(second).toMatchObject({ found: 2, indexed: 0, unchanged: 2, skipped: 0, deleted: 0 });
    const { passages, memoryTokens, memoryBytes, textBytes } = first;
    expect(second).toMatchObject({ passages, memoryTokens, memoryBytes, textBytes });
    expect(bytes()).toEqual(before);
  });

  it("takes in changed and new files, and lets deleted ones go", async () => {
    await index();
    write("tent.md", "# Tent\n\nThe tent weighs 1.9 kg.\n");
    write("cup.txt", "The cup is blue.");
    rmSync(join(docs, "sub/stove.txt"));
    expect(await index()).toMatchObject({ found: 2, indexed: 2, unchanged: 0, deleted: 1, passages: 2 });
    expect(await texts()).toEqual({ "cup.txt": "The cup is blue.", "tent.md": "# Tent\n\nThe tent weighs 1.9 kg.\n" });
  });

  it("lets everything go with an emptied folder", async () => {
    await index();
    rmSync(docs, { recursive: true });
    mkdirSync(docs);
    expect(await index()).toMatchObject({ found: 0, deleted: 2, passages: 0, memoryTokens: 0 });
    expect(await texts()).toEqual({});
  });

  it("writes nothing in a dry run, and says what it would do", async () => {
    expect(await index({ dryRun: true })).toMatchObject({ dryRun: true, found: 2, indexed: 2, passages: 2 });
    expect(readdirSync(root)).toEqual(["docs"]);
    await index();
    const before = bytes();
    write("tent.md", "The tent is gone.");
    rmSync(join(docs, "sub/stove.txt"));
    expect(await index({ dryRun: true })).toMatchObject({ indexed: 1, unchanged: 0, deleted: 1, passages: 1 });
    expect(bytes()).toEqual(before);
  });

  it("indexes a file as it was read when it changes while indexing, and takes the change in the next time", async () => {
    const changing = (stage: string) => {
      if (stage === "compress") write("tent.md", "The tent weighs 1.9 kg now.");
    };
    expect(await index({ onProgress: changing })).toMatchObject({ indexed: 2 });
    expect((await texts())["tent.md"]).toContain("2.4 kg");
    expect(await index()).toMatchObject({ indexed: 1, unchanged: 1 });
    expect((await texts())["tent.md"]).toContain("1.9 kg");
  });

  it("skips a file that is deleted while indexing", async () => {
    const deleting = (stage: string) => {
      if (stage === "read") rmSync(join(docs, "tent.md"), { force: true });
    };
    expect(await index({ onProgress: deleting })).toMatchObject({ found: 2, indexed: 1, skipped: 1 });
    expect(Object.keys(await texts())).toEqual(["sub/stove.txt"]);
  });

  it("forgets what a file said when the file no longer says anything that can be read", async () => {
    await index();
    write("tent.md", Uint8Array.of(0x89, 0x50, 0, 0));
    expect(await index()).toMatchObject({ found: 2, unchanged: 1, skipped: 1, passages: 1 });
    expect(Object.keys(await texts())).toEqual(["sub/stove.txt"]);
  });

  it.skipIf(!asOrdinaryUser)("keeps what it knows of a file that may not be read now, and says so", async () => {
    await index();
    await asOrdinaryUser!(root, async () => {
      chmodSync(join(docs, "tent.md"), 0);
      const report = await index();
      expect(report).toMatchObject({ found: 2, unchanged: 1, skipped: 1, passages: 2 });
      expect(report.problems[0]?.reason).toContain("what was indexed of it before stays");
      expect(Object.keys(await texts())).toEqual(["sub/stove.txt", "tent.md"]);
    });
  });

  it.skipIf(!asOrdinaryUser)(
    "keeps what it knows of a folder that may not be read or entered now, and says so, while others go",
    async () => {
      write("sub/deep/cup.txt", "The cup is blue.");
      write("subway.txt", "Line 4 goes to the harbour.");
      await index();
      rmSync(join(docs, "subway.txt"));
      const sub = join(docs, "sub");
      await asOrdinaryUser!(root, async () => {
        // Not readable: its names cannot be listed. Readable and not to be entered: they can, and nothing else.
        for (const mode of [0o000, 0o400]) {
          chmodSync(sub, mode);
          const dry = await index({ dryRun: true });
          const report = await index();
          chmodSync(sub, 0o700);
          const deleted = mode === 0 ? 1 : 0;
          expect(dry, `dry run at ${mode}`).toMatchObject({ unchanged: 1, deleted, passages: 3 });
          expect(report, `mode ${mode}`).toMatchObject({ indexed: 0, unchanged: 1, deleted, passages: 3 });
          expect(report.problems.length).toBeGreaterThan(0);
          for (const { path, reason } of report.problems) {
            expect(path.startsWith(sub)).toBe(true);
            expect(reason).toMatch(/cannot be read: EACCES; what was indexed of it before stays$/);
          }
        }
        expect(Object.keys(await texts())).toEqual(["sub/deep/cup.txt", "sub/stove.txt", "tent.md"]);
        // Readable again, without the stove: now it is gone.
        rmSync(join(sub, "stove.txt"));
        expect(await index()).toMatchObject({ unchanged: 2, deleted: 1, problems: [] });
        chmodSync(docs, 0);
        expect(await index()).toMatchObject({ found: 1, unchanged: 0, skipped: 1, deleted: 0, passages: 2 });
        chmodSync(docs, 0o700);
      });
    },
  );

  it.skipIf(!asOrdinaryUser)("keeps what it knows of one of two folders, whatever its ids began with", async () => {
    const all = ["one/docs/a.md", "one/docs/sub/b.md", "two/docs/a.md"];
    for (const name of all) write(name, `This is ${name}.`);
    const folders = ["one/docs", "two/docs"].map((name) => join(docs, name));
    const sub = join(folders[0]!, "sub");
    const both = () => indexFolder(folders, { pack, model, rate: 16 });
    await both();
    expect(Object.keys(await texts())).toEqual(all);
    await asOrdinaryUser!(root, async () => {
      chmodSync(sub, 0);
      expect(await both()).toMatchObject({ unchanged: 2, deleted: 0, passages: 3 });
      chmodSync(folders[0]!, 0);
      await both();
      expect(await texts()).toMatchObject({ [all[0]!]: `This is ${all[0]}.`, [all[1]!]: `This is ${all[1]}.` });
      chmodSync(folders[0]!, 0o700);
      chmodSync(sub, 0o700);
      await both();
      expect(Object.keys(await texts())).toEqual(all);
    });
  });

  it("stops when the caller says so, and leaves the pack as it was", async () => {
    await index();
    const before = bytes();
    write("tent.md", "The tent weighs 1.9 kg now.");
    for (const at of ["read", "compress"]) {
      const stop = new AbortController();
      const stopping = (stage: string) => {
        if (stage === at) stop.abort();
      };
      await expect(index({ signal: stop.signal, onProgress: stopping })).rejects.toMatchObject({ code: "aborted" });
      expect(bytes(), `stopped at ${at}`).toEqual(before);
    }
  });

  it("makes a damaged pack anew, and says so", async () => {
    await index();
    for (let file = 0; file < 5; file++) {
      const name = readdirSync(pack)[file]!;
      truncateSync(join(pack, name), 10);
      const report = await index();
      expect(report, name).toMatchObject({ indexed: 2, passages: 2, notes: [{ path: pack }] });
      expect(report.notes[0]!.note).toMatch(/^was damaged and is made anew \(/);
      expect(Object.keys(await texts()), name).toEqual(["sub/stove.txt", "tent.md"]);
    }
  });

  it("makes a pack of an earlier version anew, and says so", async () => {
    await index();
    const manifest = readFileSync(join(pack, "manifest.json"), "utf8");
    writeFileSync(join(pack, "manifest.json"), manifest.replace('"version": 2', '"version": 1'));
    writeFileSync(join(pack, "keys-1.f32"), "keys");
    const report = await index();
    expect(report).toMatchObject({ indexed: 2, unchanged: 0, passages: 2, notes: [{ path: pack }] });
    expect(report.notes[0]!.note).toMatch(/^is of an earlier version and is made anew \(.*needs version 2, got 1/);
    expect(readdirSync(pack)).toHaveLength(5);
  });

  it("goes on after a first run that was killed", async () => {
    mkdirSync(pack);
    for (const name of ["documents-1.jsonl", "passages-1.jsonl.tmp", "manifest.json.tmp"])
      writeFileSync(join(pack, name), "{");
    writeFileSync(join(pack, "pack.lock"), "999999999\n");
    expect(await index()).toMatchObject({ indexed: 2 });
    expect(Object.keys(await texts())).toHaveLength(2);
    expect(readdirSync(pack)).toHaveLength(5);
  });

  it("does not write into a folder of other files, a file, or another program's manifest", async () => {
    mkdirSync(pack);
    writeFileSync(join(pack, "holiday.jpg"), "x");
    await expect(index()).rejects.toMatchObject({ code: "pack", message: expect.stringContaining("holiday.jpg") });
    await expect(index({ pack: join(pack, "holiday.jpg") })).rejects.toMatchObject({
      code: "pack",
      message: expect.stringContaining("is a file"),
    });
    writeFileSync(join(pack, "manifest.json"), '{ "name": "site" }');
    await expect(index()).rejects.toMatchObject({ code: "pack", message: expect.stringContaining("clara-pack") });
    writeFileSync(join(pack, "manifest.json"), '{ "format": "clara-pack", "version": 3 }');
    await expect(index()).rejects.toMatchObject({ code: "pack", message: expect.stringContaining("newer") });
    expect(readdirSync(pack).sort()).toEqual(["holiday.jpg", "manifest.json"]);
  });

  it("does not mix rates in one pack, and names the command that helps", async () => {
    await index();
    const before = bytes();
    await expect(index({ rate: 8 })).rejects.toMatchObject({
      code: "pack",
      message: expect.stringMatching(/rate 16.*rate 8.*index --recompress --pack/),
    });
    expect(bytes()).toEqual(before);
  });
});

describe("recompress", () => {
  it("makes the memories again at another rate, without the files", async () => {
    write("long.txt", "The tent and the stove are packed in one bag. ".repeat(12));
    const first = await index();
    const before = await texts();
    rmSync(docs, { recursive: true });
    const counts = await recompress({ pack, model, rate: 4 });
    expect(counts.passages).toBe(first.passages);
    expect(counts.memoryTokens).toBeGreaterThan(2 * first.memoryTokens);
    expect(await texts(4)).toEqual(before);
    // What is indexed next fits to it.
    write("tent.md", "# Tent\n\nThe tent weighs 2.4 kg.\n");
    expect(await index({ rate: 4 })).toMatchObject({ unchanged: 1, deleted: 2 });
  });

  it("saves a pack whose memories are damaged, from the text it kept", async () => {
    await index();
    truncateSync(join(pack, "memories-1.bin"), 10);
    expect(await recompress({ pack, model, rate: 16 })).toMatchObject({ passages: 2 });
    expect(Object.keys(await texts())).toHaveLength(2);
  });

  it("leaves the pack as it was when it is stopped", async () => {
    await index();
    const before = bytes();
    const stop = new AbortController();
    const stopping = () => stop.abort();
    await expect(recompress({ pack, model, rate: 8, signal: stop.signal, onProgress: stopping })).rejects.toMatchObject(
      { code: "aborted" },
    );
    expect(bytes()).toEqual(before);
  });
});
