import type { CountTokens, Piece } from "./pieces.ts";
import type { Span } from "./sentences.ts";

/** A passage in the making. */
export interface Packed extends Span {
  readonly tokens: number;
}

export interface PackOptions {
  readonly text: string;
  readonly count: CountTokens;
  readonly maxTokens: number;
  /** Tokens of the end of a passage that the next one repeats, at most. */
  readonly overlap: number;
  /** A passage shorter than this is filled up with the first sentences of the paragraph that follows. */
  readonly tinyTokens: number;
}

/**
 * Fills passages with pieces, in order. A paragraph that fits into a passage but not into the rest of this one starts
 * a new one; it is divided only when it is too long, or would leave a heading alone.
 */
export function pack(pieces: readonly Piece[], options: PackOptions): Packed[] {
  const { text, count, maxTokens, overlap } = options;
  const packed: Packed[] = [];
  // A stack, the next piece on top: a piece that is divided is replaced by its parts.
  const waiting = [...pieces].reverse();
  let repeated: readonly Piece[] = [];
  while (waiting.length > 0) {
    const fresh = fill(waiting, repeated, options);
    if (fresh.length === 0) {
      // No room beside the repeated text. Without it there is.
      repeated = [];
      continue;
    }
    for (;;) {
      const start = (repeated[0] ?? fresh[0]!).start;
      const end = fresh.at(-1)!.end;
      // Counts of parts may add up to less than the count of the whole.
      const tokens = count(text.slice(start, end));
      if (tokens <= maxTokens || (repeated.length === 0 && fresh.length === 1)) {
        packed.push({ start, end, tokens });
        break;
      }
      if (repeated.length > 0) repeated = [];
      else waiting.push(fresh.pop()!);
    }
    // A passage that repeats nothing may not be repeated whole: the next one would start where it starts.
    repeated = waiting.length > 0 ? tail(fresh, overlap, repeated.length > 0 ? 0 : 1) : [];
  }
  return packed;
}

/** Takes the pieces off the stack that fit into one passage; at least one when nothing is repeated. */
function fill(waiting: Piece[], repeated: readonly Piece[], options: PackOptions): Piece[] {
  const { maxTokens, tinyTokens } = options;
  const fresh: Piece[] = [];
  let tokens = repeated.reduce((total, piece) => total + piece.tokens, 0);
  for (let piece = waiting.pop(); piece; piece = waiting.pop()) {
    if (tokens + piece.tokens <= maxTokens) {
      fresh.push(piece);
      tokens += piece.tokens;
      continue;
    }
    const room = fresh.length > 0 && tokens < tinyTokens ? maxTokens - tokens : 0;
    const parts = divided(piece, room, maxTokens);
    if (!parts) {
      waiting.push(piece);
      break;
    }
    for (const part of parts.reverse()) waiting.push(part);
  }
  return fresh;
}

/** The parts of a piece that must be divided, or of a paragraph whose first sentence goes into the room that is left. */
function divided(piece: Piece, room: number, maxTokens: number): Piece[] | undefined {
  if (piece.tokens > maxTokens) return piece.parts?.();
  if (room === 0 || !piece.isParagraph) return undefined;
  const parts = piece.parts!();
  return parts.length > 1 && parts[0]!.tokens <= room ? parts : undefined;
}

/** The last pieces, of a paragraph its last sentences, of at most `overlap` tokens; the first `leave` never. */
function tail(pieces: readonly Piece[], overlap: number, leave: number): Piece[] {
  const kept: Piece[] = [];
  let room = overlap;
  const last = pieces.at(-1)!;
  const from = last.tokens > room && room > 0 && last.isParagraph ? last.parts!() : pieces;
  for (let i = from.length - 1; i >= leave && from[i]!.tokens <= room; i--) {
    kept.unshift(from[i]!);
    room -= from[i]!.tokens;
  }
  return kept;
}
