import { createHash } from "node:crypto";
import { mkdtemp, rm, unlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { findFiles } from "./find-files.ts";
import { lineOf } from "./lines.ts";
import { loadFile } from "./load-file.ts";
import type { Loaded, Skipped } from "./types.ts";

let root = "";
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "clara-load-"));
});
afterEach(async () => {
  await rm(root, { recursive: true, force: true });
});

async function load(name: string, content: string | Uint8Array, maxBytes = 50_000_000): Promise<Loaded | Skipped> {
  await writeFile(join(root, name), content);
  return await loadFile({ path: join(root, name), id: `folder/${name}`, bytes: 0 }, { maxBytes });
}

async function fixture(name: string): Promise<Loaded> {
  const path = fileURLToPath(new URL(`fixtures/${name}`, import.meta.url));
  return (await loadFile({ path, id: name, bytes: 0 })) as Loaded;
}

const blocksOf = ({ document, blocks }: Loaded): [string, string][] =>
  blocks.map(({ heading, start, end }) => [heading.join(" > "), document.text.slice(start, end)]);

/** A PDF of so many pages, each with one line of text, written by hand. */
function pdfOf(pages: number): string {
  const objects = [
    "<< /Type /Catalog /Pages 2 0 R >>",
    `<< /Type /Pages /Count ${pages} /Kids [${Array.from({ length: pages }, (_, i) => `${4 + 2 * i} 0 R`).join(" ")}] >>`,
    "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
  ];
  for (let i = 0; i < pages; i++) {
    const stream = `BT /F1 12 Tf 72 700 Td (Text of page ${i + 1}.) Tj ET`;
    const resources = "/Resources << /Font << /F1 3 0 R >> >>";
    objects.push(`<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] ${resources} /Contents ${5 + 2 * i} 0 R >>`);
    objects.push(`<< /Length ${stream.length} >>\nstream\n${stream}\nendstream`);
  }
  let file = "%PDF-1.4\n";
  const offsets = objects.map((object, i) => {
    const offset = file.length;
    file += `${i + 1} 0 obj\n${object}\nendobj\n`;
    return `${String(offset).padStart(10, "0")} 00000 n \n`;
  });
  const xref = `xref\n0 ${objects.length + 1}\n0000000000 65535 f \n${offsets.join("")}`;
  return `${file}${xref}trailer\n<< /Size ${objects.length + 1} /Root 1 0 R >>\nstartxref\n${file.length}\n%%EOF\n`;
}

describe("loadFile", () => {
  it("makes a document with the hash of the file's bytes", async () => {
    const content = "\uFEFF# Tools\n\nA saw.\n";
    const { document, notes } = (await load("a.md", content)) as Loaded;
    expect(document).toEqual({
      id: "folder/a.md",
      title: "Tools",
      text: "# Tools\n\nA saw.\n",
      hash: createHash("sha256").update(content).digest("hex"),
      metadata: { path: "folder/a.md", type: "markdown", bytes: Buffer.byteLength(content) },
    });
    expect(notes).toEqual([]);
  });

  it("makes a title of the file's name when the file has none", async () => {
    const { document } = (await load("getting_started-v2.txt", "text")) as Loaded;
    expect(document.title).toBe("Getting started v2");
  });

  it("reads a PDF page by page, and joins the words that lines cut", async () => {
    const loaded = await fixture("kettle.pdf");
    expect(loaded.document).toMatchObject({ title: "Kettle K2 manual", metadata: { type: "pdf", pages: 2 } });
    expect(blocksOf(loaded)).toEqual([
      [
        "page 1",
        "Kettle K2 manual\nThe kettle holds 1.7 litres and boils in four minutes. Never immerse the base in water.",
      ],
      ["page 2", "Guarantee\nThe guarantee lasts three years from the day of purchase."],
    ]);
  });

  it("reads a PDF of 200 pages", async () => {
    const loaded = (await load("long.pdf", pdfOf(200))) as Loaded;
    expect(loaded.document.metadata).toMatchObject({ pages: 200 });
    expect(blocksOf(loaded).at(-1)).toEqual(["page 200", "Text of page 200."]);
  });

  it("reads a Word file with its headings and tables", async () => {
    const loaded = await fixture("returns.docx");
    expect(loaded.document.title).toBe("Returns policy");
    expect(blocksOf(loaded)).toEqual([
      ["Returns policy", "Returns policy\n\nYou may return any tool within thirty days."],
      ["Refunds", expect.stringContaining("Money is returned in five working days.\n\nKeep the receipt.")],
      ["Refunds > Fees", "Country: France; Parcel: 4.50 EUR; Days: 3"],
      ["Refunds > Fees", "Country: Norway; Parcel: 9.00 EUR; Days: 6"],
    ]);
  });

  it("reads a workbook's sheets, dates as ISO 8601", async () => {
    const loaded = await fixture("shop.xlsx");
    expect(loaded.document.metadata).toMatchObject({ sheets: 2, rows: 4 });
    expect(blocksOf(loaded)).toEqual([
      ["Tools", "name: Claw hammer; sku: T-1; price: 12.5; since: 2024-03-01; in stock: true"],
      ["Tools", "name: Hand saw; sku: T-2; price: 19; since: 2023-12-24T18:30:00; in stock: false"],
      ["Tools", "name: Spirit level; sku: T-4; in stock: true"],
      ["Shops", "city: Lyon; phone: 04 00 00 00"],
    ]);
    expect(lineOf(loaded.document.text, loaded.blocks[2]!.start)).toBe(5);
  });

  it("says why a file is skipped", async () => {
    expect(await fixture("encrypted.pdf")).toEqual({ skip: "encrypted PDF" });
    expect(await fixture("scanned.pdf")).toEqual({ skip: "no text (scanned?)" });
    expect(await load("a.pdf", "hello")).toMatchObject({ skip: expect.stringContaining("damaged PDF") });
    expect(await load("a.docx", "hello")).toMatchObject({ skip: expect.stringContaining("damaged or encrypted DOCX") });
    expect(await load("a.xlsx", "hello")).toMatchObject({ skip: expect.stringContaining("damaged or encrypted XLSX") });
    expect(await load("a.json", "{a}")).toMatchObject({ skip: expect.stringContaining("line 1, column 2") });
    expect(await load("a.md", Uint8Array.of(0x89, 0x50, 0, 0))).toEqual({ skip: "looks binary (has NUL bytes)" });
    expect(await load("empty.md", "")).toEqual({ skip: "empty" });
    expect(await load("blank.html", "<script>1</script>")).toEqual({ skip: "empty" });
    expect(await load("a.md", "12345", 4)).toEqual({ skip: "larger than 4 bytes (5 bytes)" });
    expect(await load("a.XYZ", "text")).toMatchObject({
      skip: expect.stringMatching(/^unsupported type \.xyz \(supported: \.md /),
    });
    expect(await loadFile({ path: root.replace(/$/, ".md"), id: "x.md", bytes: 0 })).toEqual({
      skip: "gone since it was found",
    });
  });

  it("skips a file that was deleted after it was found", async () => {
    await writeFile(join(root, "a.md"), "text");
    const { files } = await findFiles([root]);
    await unlink(join(root, "a.md"));
    expect(await loadFile(files[0]!)).toEqual({ skip: "gone since it was found" });
  });

  it("notes an encoding that had to be guessed", async () => {
    const loaded = (await load("old.txt", Uint8Array.of(0x63, 0xe9))) as Loaded;
    expect(loaded).toMatchObject({ document: { text: "cé" }, notes: ["is not UTF-8: read as windows-1252"] });
  });

  it("stops when the caller says so", async () => {
    const file = { path: join(root, "a.md"), id: "a.md", bytes: 0 };
    await expect(loadFile(file, { signal: AbortSignal.abort() })).rejects.toMatchObject({ code: "aborted" });
  });
});

describe("lineOf", () => {
  it("counts lines from 1, whatever ends them", () => {
    const text = "a\nb\r\nc\rd";
    expect(["a", "b", "c", "d"].map((letter) => lineOf(text, text.indexOf(letter)))).toEqual([1, 2, 3, 4]);
  });
});
