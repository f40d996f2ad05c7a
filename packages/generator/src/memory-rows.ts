import type { HostTensors } from "@clara/engine";
import type { Tokenizer } from "@clara/model";
import type { AskedStates, MemoryText } from "./memory-reader.ts";
import type { Sequence } from "./sequences.ts";

/** Memory tokens of one row: a longer memory is read in parts. */
const rowWindows = 64;

/** A row of the reader's batch: a passage's memory, or a part of a long one. */
export interface Row {
  readonly passage: number;
  /** Windows of the passage's memory, end exclusive. */
  readonly from: number;
  readonly to: number;
}

/** The rows of all passages, in their order; a passage without memory tokens has none. */
export function rowsOf(passages: readonly MemoryText[]): Row[] {
  return passages.flatMap(({ memory: { count } }, passage) =>
    Array.from({ length: Math.ceil(count / rowWindows) }, (_, i) => ({
      passage,
      from: i * rowWindows,
      to: Math.min(count, (i + 1) * rowWindows),
    })),
  );
}

/** What `readMemories` is given: the memories of the rows, each beside the question. */
export function memoryBatch(
  { states }: AskedStates,
  rows: readonly Row[],
  passages: readonly MemoryText[],
  overlap: (text: string) => number,
  { width, d }: { width: number; d: number },
): HostTensors {
  const B = rows.length;
  const U = states.length / width;
  const M = Math.max(...rows.map(({ from, to }) => to - from));
  const question = new Float32Array(B * U * width);
  const memory = new Float32Array(B * M * d);
  const memoryMask = new Int32Array(B * M);
  const share = new Float32Array(B * M);
  rows.forEach(({ passage, from, to }, row) => {
    const { text, memory: own } = passages[passage]!;
    question.set(states, row * U * width);
    memory.set(own.vectors.subarray(from * d, to * d), row * M * d);
    memoryMask.fill(1, row * M, row * M + to - from);
    for (let m = from; m < to; m++) {
      const [start, end] = [own.spans[2 * m]!, own.spans[2 * m + 1]!];
      if (end > start) share[row * M + m - from] = overlap(text.slice(start, end));
    }
  });
  return {
    question: { data: question, shape: [B, U, width] },
    questionMask: { data: new Int32Array(B * U).fill(1), shape: [B, U] },
    memory: { data: memory, shape: [B, M, d] },
    memoryMask: { data: memoryMask, shape: [B, M] },
    overlap: { data: share, shape: [B, M] },
  };
}

/** The tokens of a row's windows. */
export interface Piece {
  readonly ids: Int32Array;
  /** Places in the sequence. */
  readonly tokens: readonly number[];
  /** The row's window of each token. */
  readonly windows: readonly number[];
}

/** The text's tokens that lie in a row's windows; the windows of titles and separators have none. */
export function pieceOf({ from, to }: Row, { memory }: MemoryText, sequence: Sequence | undefined): Piece {
  const tokens: number[] = [];
  const windows: number[] = [];
  let m = from;
  for (let t = 0; sequence !== undefined && t < sequence.ids.length; t++) {
    if (sequence.clause[t]! < 0) continue;
    const at = sequence.starts[t]!;
    while (m < to && memory.spans[2 * m + 1]! <= at) m += 1;
    if (m === to) break;
    if (at < memory.spans[2 * m]!) continue;
    tokens.push(t);
    windows.push(m - from);
  }
  return { ids: sequence?.ids ?? new Int32Array(0), tokens, windows };
}

/** What `pointerLogits` is given beside the states: the rows' tokens with their neighbours. */
export function pointerBatch({ text }: AskedStates, pieces: readonly Piece[], tokenizer: Tokenizer): HostTensors {
  const B = pieces.length;
  const T = Math.max(1, ...pieces.map(({ tokens }) => tokens.length));
  const near = new Int32Array(B * T * 5).fill(tokenizer.pad);
  const match = new Float32Array(B * T * 5);
  const window = new Int32Array(B * T);
  const asked = new Set(tokenizer.encode(text).ids);
  pieces.forEach(({ ids, tokens, windows }, row) => {
    tokens.forEach((_, i) => {
      window[row * T + i] = windows[i]!;
      for (let k = 0; k < 5; k++) {
        const neighbour = tokens[i + k - 2];
        if (neighbour === undefined) continue;
        near[(row * T + i) * 5 + k] = ids[neighbour]!;
        if (asked.has(ids[neighbour]!)) match[(row * T + i) * 5 + k] = 1;
      }
    });
  });
  return {
    near: { data: near, shape: [B, T, 5] },
    match: { data: match, shape: [B, T, 5] },
    window: { data: window, shape: [B, T] },
  };
}
