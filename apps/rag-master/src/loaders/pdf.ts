import { getDocumentProxy } from "unpdf";
import { firstSentence } from "./docx.ts";
import { oneLine } from "./lines.ts";
import { count } from "./table.ts";
import type { Block, Extracted, Skipped } from "./types.ts";

type Pdf = Awaited<ReturnType<typeof getDocumentProxy>>;

/** A PDF's text, page after page, each page one block under "page N"; words cut by a hyphen at a line end are joined. */
export async function pdfText(bytes: Uint8Array): Promise<Extracted | Skipped> {
  let pdf: Pdf;
  try {
    // A copy, because PDF.js takes the buffer away. Verbosity 0, because loaders print nothing.
    pdf = await getDocumentProxy(new Uint8Array(bytes), { verbosity: 0 });
  } catch (error) {
    if ((error as Error).name === "PasswordException") return { skip: "encrypted PDF" };
    return { skip: `damaged PDF: ${firstSentence(error)}` };
  }
  try {
    return await pages(pdf);
  } finally {
    await pdf.loadingTask.destroy();
  }
}

async function pages(pdf: Pdf): Promise<Extracted | Skipped> {
  const texts: string[] = [];
  const blocks: Block[] = [];
  const failed: number[] = [];
  let start = 0;
  for (let n = 1; n <= pdf.numPages; n++) {
    const text = await pageText(pdf, n);
    if (text === undefined) failed.push(n);
    if (!text) continue;
    texts.push(text);
    blocks.push({ start, end: start + text.length, heading: [`page ${n}`], kind: "prose" });
    start += text.length + 2;
  }
  if (failed.length === pdf.numPages) return { skip: "damaged PDF: no page can be read" };
  if (blocks.length === 0) return { skip: "no text (scanned?)" };
  const empty = pdf.numPages - blocks.length - failed.length;
  const notes = [
    ...(failed.length > 0
      ? [`${count(failed.length, "page", "pages")} cannot be read (first: page ${failed[0]})`]
      : []),
    ...(empty > 0 ? [`${count(empty, "page has", "pages have")} no text (scanned?)`] : []),
  ];
  return { text: texts.join("\n\n"), blocks, title: await titleOf(pdf), notes, metadata: { pages: pdf.numPages } };
}

/** Undefined when the page is damaged. */
async function pageText(pdf: Pdf, n: number): Promise<string | undefined> {
  try {
    const page = await pdf.getPage(n);
    const { items } = await page.getTextContent();
    page.cleanup();
    const text = items.map((item) => ("str" in item ? item.str + (item.hasEOL ? "\n" : "") : "")).join("");
    return text
      .replace(/(\p{Ll})[-\u00ad]\n(?=\p{Ll})/gu, "$1")
      .replaceAll("\u00ad", "")
      .trim();
  } catch {
    return undefined;
  }
}

/** The title in the file's properties, unless it is what a program put there. */
async function titleOf(pdf: Pdf): Promise<string | undefined> {
  const { info } = await pdf.getMetadata().catch(() => ({ info: {} }));
  const title = oneLine(String((info as { Title?: unknown }).Title ?? ""));
  return /^(untitled.*|.*\.\w{2,5}|Microsoft Word - .*)?$/i.test(title) ? undefined : title;
}
