import { createHash } from "node:crypto";
import { extname } from "node:path";
import { throwIfAborted } from "@clara/core";
import { csvText } from "./csv.ts";
import { decodeText } from "./decode.ts";
import { docxText } from "./docx.ts";
import { htmlText } from "./html.ts";
import { jsonLinesText, jsonText } from "./json.ts";
import { markdownText } from "./markdown.ts";
import { pdfText } from "./pdf.ts";
import { readStable } from "./read-stable.ts";
import { plainText } from "./text.ts";
import type { Extracted, FoundFile, Loaded, Skipped } from "./types.ts";
import { xlsxText } from "./xlsx.ts";

export interface LoadFileOptions {
  /** Larger files are skipped. @default 50_000_000 */
  readonly maxBytes?: number;
  readonly signal?: AbortSignal;
}

type Reader = { readonly type: string } & (
  | { readonly fromText: (text: string) => Extracted | Skipped }
  | { readonly fromBytes: (bytes: Uint8Array) => Promise<Extracted | Skipped> }
);

// A new file type is one file and one line.
const READERS: Readonly<Record<string, Reader>> = {
  ".md": { type: "markdown", fromText: markdownText },
  ".markdown": { type: "markdown", fromText: markdownText },
  ".mdx": { type: "markdown", fromText: markdownText },
  ".txt": { type: "text", fromText: plainText },
  ".rst": { type: "text", fromText: plainText },
  ".html": { type: "html", fromText: htmlText },
  ".htm": { type: "html", fromText: htmlText },
  ".csv": { type: "csv", fromText: csvText },
  ".tsv": { type: "csv", fromText: csvText },
  ".json": { type: "json", fromText: jsonText },
  ".jsonl": { type: "jsonl", fromText: jsonLinesText },
  ".ndjson": { type: "jsonl", fromText: jsonLinesText },
  ".pdf": { type: "pdf", fromBytes: pdfText },
  ".docx": { type: "docx", fromBytes: docxText },
  ".xlsx": { type: "xlsx", fromBytes: xlsxText },
};

/** What `loadFile` reads, with the dot, in lower case. */
export const supportedExtensions: readonly string[] = Object.keys(READERS);

/**
 * Reads one file as a document. A file that cannot be used is an answer, not an error: one bad file among thousands
 * must not stop the others.
 *
 * @returns the document (its `hash` is the sha256 of the file's bytes) with its blocks, or why it was skipped
 * @throws ClaraError "aborted"
 */
export async function loadFile(file: FoundFile, options: LoadFileOptions = {}): Promise<Loaded | Skipped> {
  const { maxBytes = 50_000_000, signal } = options;
  throwIfAborted(signal, "loadFile");
  const extension = extname(file.path).toLowerCase();
  const reader = READERS[extension];
  if (!reader) {
    return { skip: `unsupported type ${extension || "(no extension)"} (supported: ${supportedExtensions.join(" ")})` };
  }
  const read = await readStable(file.path, maxBytes);
  if ("skip" in read) return read;
  const { bytes } = read;
  if (bytes.length === 0) return { skip: "empty" };
  const notes: string[] = [];
  const extracted = await extract(reader, bytes, notes);
  throwIfAborted(signal, "loadFile");
  if ("skip" in extracted) return extracted;
  if (extracted.text.trim() === "") return { skip: "empty" };
  notes.push(...(extracted.notes ?? []));
  const document = {
    id: file.id,
    title: extracted.title || titleFromName(file.id),
    text: extracted.text,
    hash: createHash("sha256").update(bytes).digest("hex"),
    metadata: { path: file.id, type: reader.type, bytes: bytes.length, ...extracted.metadata },
  };
  return { document, blocks: extracted.blocks, notes };
}

async function extract(reader: Reader, bytes: Uint8Array, notes: string[]): Promise<Extracted | Skipped> {
  if ("fromBytes" in reader) return await reader.fromBytes(bytes);
  const decoded = decodeText(bytes);
  if ("skip" in decoded) return decoded;
  if (decoded.note) notes.push(decoded.note);
  return reader.fromText(decoded.text);
}

/** `guides/getting_started-v2.md` is "Getting started v2". */
function titleFromName(id: string): string {
  const name = id.slice(id.lastIndexOf("/") + 1);
  const words = name
    .slice(0, name.length - extname(name).length)
    .replace(/[-_\s]+/g, " ")
    .trim();
  return words === "" ? name : words[0]!.toUpperCase() + words.slice(1);
}
