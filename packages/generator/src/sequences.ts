import type { Tokenizer } from "@clara/model";
import { clauseStarts } from "./clauses.ts";

/** A slice of one evidence's text that the reader sees as one fragment. */
export interface Fragment {
  /** Position in the list of evidence. */
  readonly evidence: number;
  /** UTF-16 offsets into the evidence's text, end exclusive. */
  readonly start: number;
  readonly end: number;
}

/** One row of the reader's batch: `[CLS] question [SEP] fragment [SEP] fragment [SEP] …`, the fragments after a title if they have one. */
export interface Sequence {
  readonly ids: Int32Array;
  readonly types: Int32Array;
  /** [T] index of the clause a token belongs to, -1 for the question and the separators. No answer crosses a clause. */
  readonly clause: Int32Array;
  /** [T] UTF-16 offsets into the evidence's text. */
  readonly starts: Uint32Array;
  readonly ends: Uint32Array;
  /** For each clause, the position of its evidence. */
  readonly evidence: readonly number[];
  /** For each clause, whether it asks what the question asks, as the headings of an FAQ do: no answer is in it. */
  readonly asks: readonly boolean[];
}

/** Longest question in tokens; the rest of a longer one is not read. */
export const questionTokens = 64;

/** Longest title in tokens. */
const titleTokens = 32;

/**
 * Lays fragments out for the reader.
 *
 * @param groups fragments that share a sequence; a group that does not fit is continued in further sequences
 * @param maxTokens positions of the model
 * @param titles of each evidence: every sequence of a group begins with that of its first fragment, for readers trained so. No
 *   answer is in a title.
 * @param strideTokens tokens that two pieces of one long fragment share, so that an answer at the seam is whole in one
 */
export function layOut(
  question: string,
  texts: readonly string[],
  groups: readonly (readonly Fragment[])[],
  tokenizer: Tokenizer,
  {
    maxTokens = 512,
    strideTokens = 64,
    titles,
  }: { maxTokens?: number; strideTokens?: number; titles?: readonly string[] | undefined } = {},
): Sequence[] {
  const asked = tokenizer.encode(question).ids.slice(0, questionTokens);
  const sequences: Sequence[] = [];
  for (const group of groups) {
    const heading = titles && group.length > 0 ? titles[group[0]!.evidence]! : "";
    const title = tokenizer.encode(heading).ids.slice(0, titleTokens);
    const room = maxTokens - asked.length - 2 - spanOf(title);
    let row: Piece[] = [];
    let used = 0;
    for (const fragment of group) {
      for (const piece of cut(fragment, texts[fragment.evidence]!, tokenizer, room - 1, strideTokens)) {
        if (used + piece.ids.length + 1 > room && row.length > 0) {
          sequences.push(assemble(asked, title, row, tokenizer));
          row = [];
          used = 0;
        }
        row.push(piece);
        used += piece.ids.length + 1;
      }
    }
    if (row.length > 0) sequences.push(assemble(asked, title, row, tokenizer));
  }
  return sequences;
}

interface Piece {
  readonly evidence: number;
  readonly ids: Int32Array;
  readonly starts: Uint32Array;
  readonly ends: Uint32Array;
  /** [T] number of the clause within the fragment. */
  readonly clauses: Uint32Array;
}

function cut(
  { evidence, start, end }: Fragment,
  text: string,
  tokenizer: Tokenizer,
  room: number,
  stride: number,
): Piece[] {
  const slice = text.slice(start, end);
  const { ids, starts, ends } = tokenizer.encode(slice);
  const clauses = clauseOf(starts, clauseStarts(slice));
  const pieces: Piece[] = [];
  for (let from = 0; from < ids.length; from += room - stride) {
    const to = Math.min(ids.length, from + room);
    pieces.push({
      evidence,
      ids: ids.subarray(from, to),
      starts: starts.subarray(from, to).map((offset) => offset + start),
      ends: ends.subarray(from, to).map((offset) => offset + start),
      clauses: clauses.subarray(from, to),
    });
    if (to === ids.length) break;
  }
  return pieces;
}

function clauseOf(offsets: Uint32Array, boundaries: readonly number[]): Uint32Array {
  let clause = 0;
  return offsets.map((offset) => {
    while (clause + 1 < boundaries.length && boundaries[clause + 1]! <= offset) clause += 1;
    return clause;
  });
}

/** Tokens that a title or a fragment takes with the separator after it; nothing takes none. */
function spanOf({ length }: Int32Array): number {
  return length === 0 ? 0 : length + 1;
}

function assemble(question: Int32Array, title: Int32Array, pieces: readonly Piece[], tokenizer: Tokenizer): Sequence {
  const { cls, sep } = tokenizer;
  const T = question.length + 2 + spanOf(title) + pieces.reduce((sum, { ids }) => sum + spanOf(ids), 0);
  const ids = new Int32Array(T).fill(sep);
  const types = new Int32Array(T).fill(1, question.length + 2);
  const clause = new Int32Array(T).fill(-1);
  const starts = new Uint32Array(T);
  const ends = new Uint32Array(T);
  const evidence: number[] = [];
  ids[0] = cls;
  ids.set(question, 1);
  ids.set(title, question.length + 2);
  let at = question.length + 2 + spanOf(title);
  for (const piece of pieces) {
    ids.set(piece.ids, at);
    starts.set(piece.starts, at);
    ends.set(piece.ends, at);
    piece.clauses.forEach((number, t) => {
      if (t === 0 || number !== piece.clauses[t - 1]) evidence.push(piece.evidence);
      clause[at + t] = evidence.length - 1;
    });
    at += piece.ids.length + 1;
  }
  return { ids, types, clause, starts, ends, evidence, asks: restating(question, ids, clause, tokenizer) };
}

/** For each clause, whether it is a question of which three tokens in five are the asked one's. */
function restating(question: Int32Array, ids: Int32Array, clause: Int32Array, tokenizer: Tokenizer): boolean[] {
  const mark = tokenizer.encode("?").ids[0];
  const separator = tokenizer.encode(";").ids[0]; // behind the cells of a record
  const asked = new Set(question);
  const seen: { tokens: number; shared: number; last: number }[] = [];
  clause.forEach((c, t) => {
    if (c < 0) return;
    seen[c] ??= { tokens: 0, shared: 0, last: 0 };
    const id = ids[t]!;
    if (id === separator) return;
    seen[c].last = id;
    if (id === mark) return;
    seen[c].tokens += 1;
    if (asked.has(id)) seen[c].shared += 1;
  });
  return seen.map(({ tokens, shared, last }) => last === mark && shared >= 0.6 * tokens);
}
