import { ClaraError, type Document, type Passage } from "@clara/core";
import { lineOf } from "../loaders/lines.ts";
import type { Block } from "../loaders/types.ts";
import { type Packed, pack } from "./pack.ts";
import { type CountTokens, paragraphPieces, trim, wholePieces } from "./pieces.ts";

export interface SplitOptions {
  /** Counts the tokens of a text, without those a model adds around it. Called for every part of the text a few times. */
  readonly tokens: CountTokens;
  /** At least 1. @default 200 */
  readonly maxTokens?: number;
  /** Tokens of the end of a passage that the next one of the same section repeats, at most. Below maxTokens. @default 0 */
  readonly overlap?: number;
}

/** Sections shorter than this are joined with neighbours as short, under the same parent. */
const TINY_TOKENS = 40;

interface Draft extends Packed {
  readonly heading: readonly string[];
  /** A whole prose section, which may be joined with another. */
  readonly isSection: boolean;
}

/**
 * Cuts a document into passages. Records are one passage each, however long. Prose is packed up to `maxTokens`, broken
 * between paragraphs, else sentences, else words, else (in a word longer than a passage) characters.
 *
 * @returns passages in order, each an exact slice of `document.text`; `id` is the document's with `#0`, `#1`, …;
 *   `title` is the document's title and the headings above; `metadata` is the document's and the slice's `line`
 * @throws ClaraError "option" when maxTokens or overlap is out of range
 */
export function splitDocument(document: Document, blocks: readonly Block[], options: SplitOptions): Passage[] {
  const { tokens, maxTokens = 200, overlap = 0 } = options;
  if (!(maxTokens >= 1)) {
    throw new ClaraError("option", `splitDocument: maxTokens must be at least 1, got ${maxTokens}`);
  }
  if (!(overlap >= 0 && overlap < maxTokens)) {
    const text = `splitDocument: overlap must be at least 0 and below maxTokens (${maxTokens}), got ${overlap}`;
    throw new ClaraError("option", text);
  }
  const { text } = document;
  const context = { text, count: tokens, maxTokens };
  const drafts: Draft[] = [];
  for (const section of sectionsOf(blocks)) {
    const { heading, kind, start, end } = section[0]!;
    if (kind === "record") {
      drafts.push({ ...trim(text, { start, end }), tokens: 0, heading, isSection: false });
      continue;
    }
    const pieces = section.flatMap((block) =>
      (block.keepWhole ? wholePieces : paragraphPieces)(context, block.start, block.end),
    );
    const packed = pack(pieces, { ...context, overlap, tinyTokens: Math.min(TINY_TOKENS, maxTokens) });
    drafts.push(...packed.map((span) => ({ ...span, heading, isSection: packed.length === 1 })));
  }
  return toPassages(document, joinTiny(context, drafts));
}

/** Neighbouring prose under the same headings together; each record alone. */
function sectionsOf(blocks: readonly Block[]): Block[][] {
  const sections: Block[][] = [];
  for (const block of blocks) {
    const last = sections.at(-1);
    const first = last?.[0];
    if (first && first.kind === "prose" && block.kind === "prose" && samePath(first.heading, block.heading))
      last.push(block);
    else sections.push([block]);
  }
  return sections;
}

function joinTiny(
  { text, count, maxTokens }: { text: string; count: CountTokens; maxTokens: number },
  drafts: readonly Draft[],
): Draft[] {
  const joined: Draft[] = [];
  // The heading above all sections joined so far: what is joined next must be it or lie right below it.
  let parent: readonly string[] | undefined;
  for (const next of drafts) {
    const last = joined.at(-1);
    const above = last?.isSection && next.isSection ? commonParent(parent, last.heading, next.heading) : undefined;
    if (last && above && last.tokens < TINY_TOKENS && next.tokens < TINY_TOKENS) {
      const tokens = count(text.slice(last.start, next.end));
      if (tokens <= maxTokens) {
        joined[joined.length - 1] = { start: last.start, end: next.end, tokens, heading: above, isSection: true };
        parent = above;
        continue;
      }
    }
    joined.push(next);
    parent = undefined;
  }
  return joined;
}

/** The path that both sections have or lie right below, when there is one. */
function commonParent(
  parent: readonly string[] | undefined,
  a: readonly string[],
  b: readonly string[],
): readonly string[] | undefined {
  let shared = 0;
  while (shared < a.length && shared < b.length && a[shared] === b[shared]) shared++;
  const above = a.slice(0, shared);
  if (parent && !samePath(parent, above)) return undefined;
  return a.length <= shared + 1 && b.length <= shared + 1 ? above : undefined;
}

function toPassages(document: Document, drafts: readonly Draft[]): Passage[] {
  const passages: Passage[] = [];
  let line = 1;
  let counted = 0;
  for (const { start, end, heading } of drafts) {
    if (start >= end) continue;
    line += lineOf(document.text.slice(counted, start), start - counted) - 1;
    counted = start;
    passages.push({
      id: `${document.id}#${passages.length}`,
      document: document.id,
      title: passageTitle(document.title, heading),
      text: document.text.slice(start, end),
      start,
      end,
      metadata: { ...document.metadata, line },
    });
  }
  return passages;
}

function passageTitle(title: string, heading: readonly string[]): string {
  const parts: string[] = [];
  for (const part of [title, ...heading]) {
    const isNew = !parts.some((known) => known.toLowerCase() === part.trim().toLowerCase());
    if (isNew && part.trim() !== "") parts.push(part.trim());
  }
  return parts.join(" > ");
}

function samePath(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((part, i) => part === b[i]);
}
