import { createHash } from "node:crypto";
import { ClaraError, type Document } from "@clara/core";
import { type Corpus, corpusOf } from "./corpus.ts";
import type { Model } from "./model.ts";
import { splitDocument } from "./split/index.ts";

/** A document given with a question: its text, or the text with a name to cite it by. */
export type GivenDocument = string | { readonly id?: string; readonly title?: string; readonly text: string };

/** Splits and compresses documents that are given as text, without a pack. */
export async function corpusOfTexts(
  given: readonly GivenDocument[],
  model: Model,
  rate: number,
  { split = true }: { split?: boolean } = {},
): Promise<Corpus> {
  const documents = given.map((item, index): Document => {
    const { id = `document-${index + 1}`, title, text } = typeof item === "string" ? { text: item } : item;
    if (typeof text !== "string")
      throw new ClaraError(
        "input",
        `query: documents[${index}] must be a text or { text }, got ${JSON.stringify(item)?.slice(0, 80)}`,
      );
    return {
      id,
      title: title ?? text.slice(0, titleEnd(text)),
      text,
      hash: createHash("sha256").update(text).digest("hex"),
      metadata: {},
    };
  });
  const ids = new Set(documents.map(({ id }) => id));
  if (ids.size !== documents.length)
    throw new ClaraError("input", "query: two documents have the same id; ids are how citations name them");
  const splitting = { tokens: model.tokenizer.count, maxTokens: model.passageTokens };
  const passages = documents.flatMap((document) => {
    const start = bodyStart(document);
    const { id, title, text } = document;
    return split
      ? splitDocument(document, [{ start, end: text.length, heading: [], kind: "prose" }], splitting)
      : [{ id, document: id, title, text: text.slice(start), start, end: text.length, metadata: {} }];
  });
  const memories = await model.compressor.compress(passages, { rate });
  return corpusOf(documents, passages, memories, model.memoryBits);
}

/** Longest first line that counts as a title, in UTF-16 units. */
const titleLength = 120;

/** End of a first line that is a title: short, not a sentence, with text below. 0 when there is none. */
export function titleEnd(text: string): number {
  const end = text.indexOf("\n");
  const line = text.slice(0, Math.max(0, end)).trimEnd();
  const isTitle = line !== "" && line.length <= titleLength && !/[.!?:;,]$/.test(line) && text.slice(end).trim() !== "";
  return isTitle ? line.length : 0;
}

/** Where the text below the title begins: a reader takes a title in front of a sentence for a part of it. */
function bodyStart({ title, text }: Document): number {
  const end = titleEnd(text);
  return end > 0 && text.slice(0, end) === title ? end + text.slice(end).search(/\S/) : 0;
}
