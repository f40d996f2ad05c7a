import { ClaraError, type Memory, type Weights } from "@clara/core";
import type { Compiled, Engine, HostTensors, Specs } from "@clara/engine";
import { bertLayerArrays, type EngineEmbeddings, type EngineParams, nestBert, type Tokenizer } from "@clara/model";
import type { tf } from "@clara/tensor";
import {
  type MemoryBatch,
  type MemoryReaderParams,
  type PointerBatch,
  pointerLogits,
  readMemories,
  windowLogits,
} from "./read-memories.ts";
import { bestSpans, type Span } from "./reader.ts";
import { layOut, type Sequence } from "./sequences.ts";

/** What a question is asked with. */
export interface AskedStates {
  readonly text: string;
  /** [U, D] */
  readonly states: Float32Array;
}

/** A passage whose memory is read. */
export interface MemoryText {
  readonly text: string;
  readonly memory: Memory;
}

/** A trained reader of memories in an engine. Its creator calls `dispose`. */
export interface MemoryReader {
  /**
   * For each passage, the logit that its answer is in none of its windows, and in each.
   *
   * @param overlap how much of the question's words a text holds, 0–1.
   */
  windows(
    asked: AskedStates,
    passages: readonly MemoryText[],
    overlap: (text: string) => number,
    options?: { readonly signal?: AbortSignal | undefined },
  ): Promise<{ readonly none: number; readonly logits: Float32Array }[]>;
  /** The best spans of each passage, one for each of its clauses: from its memory and a table of words, nothing is encoded. */
  point(
    asked: AskedStates,
    passages: readonly MemoryText[],
    overlap: (text: string) => number,
    options?: { readonly answerTokens?: number; readonly signal?: AbortSignal | undefined },
  ): Promise<Span[]>;
  dispose(): Promise<void>;
}

export interface MemoryReaderOptions<P extends EngineParams> {
  /** Tensors `memory.layer.<i>.…` by Hugging Face's names, and `memory.…` by ours. */
  readonly weights: Weights;
  readonly layers: number;
  readonly heads: number;
  readonly layerNormEps?: number;
  /** Those of the compressor: words are pointed at in their table. */
  readonly embeddings: EngineEmbeddings<P>;
  readonly tokenizer: Tokenizer;
}

/** Memory tokens of one row: a longer memory is read in parts. */
const rowWindows = 64;

/**
 * Puts a reader of memories into an engine.
 *
 * @throws ClaraError "weights" when a tensor is missing, "engine" when the engine fails.
 */
export async function memoryReader<P extends EngineParams>(
  engine: Pick<Engine, "params" | "compile">,
  options: MemoryReaderOptions<P>,
): Promise<MemoryReader> {
  const { weights, layers, heads, layerNormEps = 1e-12, embeddings, tokenizer } = options;
  const { width } = embeddings;
  const params = await engine.params(memoryReaderArrays(weights, { layers, width }), { transfer: true });
  const stores = [(await embeddings.params) as unknown as typeof params, params];
  const d = params.shapes["up.weight"]!.shape[0]!;
  const specs: Specs = {
    question: { shape: ["B", "U", width] },
    questionMask: { shape: ["B", "U"], dtype: "int32" },
    memory: { shape: ["B", "M", d] },
    memoryMask: { shape: ["B", "M"], dtype: "int32" },
    overlap: { shape: ["B", "M"] },
  };
  const pointerSpecs: Specs = {
    near: { shape: ["B", "T", 5], dtype: "int32" },
    match: { shape: ["B", "T", 5] },
    window: { shape: ["B", "T"], dtype: "int32" },
  };
  let gate: Promise<Compiled<{ logits: tf.Tensor2D }>> | undefined;
  let pointer: Promise<Compiled<{ logits: tf.Tensor3D }>> | undefined;
  // Each is compiled when it is first asked for: most runs need one of them.
  const gating = () => {
    gate ??= engine.compile(
      (inputs, tensors) => {
        const reader = nestMemoryReader(tensors);
        return { logits: windowLogits(reader, readMemories(reader, inputs as MemoryBatch, { heads, layerNormEps })) };
      },
      specs,
      { params: stores },
    );
    return gate;
  };
  const pointing = () => {
    pointer ??= engine.compile(
      (inputs, tensors) => {
        const reader = nestMemoryReader(tensors);
        const read = readMemories(reader, inputs as MemoryBatch, { heads, layerNormEps });
        const words = tensors["embeddings.words"] as tf.Tensor2D;
        return { logits: pointerLogits(reader, words, read, inputs as unknown as PointerBatch) };
      },
      { ...specs, ...pointerSpecs },
      { params: stores },
    );
    return pointer;
  };

  return {
    async windows(asked, passages, overlap, { signal } = {}) {
      const rows = rowsOf(passages);
      if (rows.length === 0) return passages.map(() => ({ none: 0, logits: new Float32Array(0) }));
      const batch = memoryBatch(asked, rows, passages, overlap, { width, d });
      const { data, shape } = (await (await gating()).run(batch, { signal }))["logits"]!;
      const W = shape[1]!;
      const found = passages.map(({ memory }) => ({
        none: Number.NEGATIVE_INFINITY,
        logits: new Float32Array(memory.count),
      }));
      rows.forEach(({ passage, from, to }, row) => {
        const own = found[passage]!;
        // Of a memory in parts, the part that is most at odds with an answer does not speak for the others.
        own.none = Math.max(own.none, data[row * W]!);
        own.logits.set((data as Float32Array).subarray(row * W + 1, row * W + 1 + to - from), from);
      });
      return found.map(({ none, logits }) => ({ none: Number.isFinite(none) ? none : 0, logits }));
    },
    async point(asked, passages, overlap, { answerTokens = 30, signal } = {}) {
      const rows = rowsOf(passages);
      if (rows.length === 0) return [];
      const texts = passages.map(({ text }) => text);
      const sequences = passages.map(
        ({ text }, index) =>
          layOut(asked.text, texts, [[{ evidence: index, start: 0, end: text.length }]], tokenizer, {
            maxTokens: Number.MAX_SAFE_INTEGER,
          })[0],
      );
      const pieces = rows.map((row) => pieceOf(row, passages[row.passage]!, sequences[row.passage]));
      const batch = {
        ...memoryBatch(asked, rows, passages, overlap, { width, d }),
        ...pointerBatch(asked, pieces, tokenizer),
      };
      const { data, shape } = (await (await pointing()).run(batch, { signal }))["logits"]!;
      const S = shape[1]!;
      return rows.flatMap(({ passage }, row) => {
        const sequence = sequences[passage];
        if (sequence === undefined) return [];
        const start = new Float32Array(sequence.ids.length).fill(-1e9);
        const end = start.slice();
        start[0] = data[row * S * 2]!;
        end[0] = data[row * S * 2 + 1]!;
        pieces[row]!.tokens.forEach((t, i) => {
          start[t] = data[(row * S + 1 + i) * 2]!;
          end[t] = data[(row * S + 1 + i) * 2 + 1]!;
        });
        return bestSpans(sequence, { start, end }, answerTokens).filter(({ score }) => score > -1e8);
      });
    },
    async dispose() {
      await params.dispose();
    },
  };
}

/** The reader's tensors by our paths, from a model's weights. @throws ClaraError "weights" when one is missing. */
export function memoryReaderArrays(
  weights: Weights,
  { layers, width }: { readonly layers: number; readonly width: number },
): Weights {
  const own = Object.entries(weights).flatMap(([name, { shape, data }]) =>
    name.startsWith("memory.") && !name.startsWith("memory.layer.")
      ? [[name.slice("memory.".length), { shape, data: data.slice() }] as const]
      : [],
  );
  const arrays = Object.fromEntries(own);
  for (const name of ownNames) {
    if (!(name in arrays)) throw new ClaraError("weights", `memoryReader: the model has no tensor "memory.${name}"`);
  }
  return { ...arrays, ...bertLayerArrays(weights, { layers, width, prefix: "memory" }, "memoryReader") };
}

const ownNames = [
  ...["up.weight", "up.bias", "positions", "overlap", "norm.gamma", "norm.beta", "window.weight", "window.bias"],
  ...["wanted.weight", "wanted.bias", "words.weight", "words.bias", "match", "none.weight", "none.bias"].map(
    (name) => `pointer.${name}`,
  ),
];

/** Tensors by path as `MemoryReaderParams`; others beside them do no harm. */
export function nestMemoryReader(tensors: Readonly<Record<string, tf.Tensor>>): MemoryReaderParams {
  return nestBert(tensors) as unknown as MemoryReaderParams;
}

interface Row {
  readonly passage: number;
  /** Windows of the passage's memory, end exclusive. */
  readonly from: number;
  readonly to: number;
}

function rowsOf(passages: readonly MemoryText[]): Row[] {
  return passages.flatMap(({ memory: { count } }, passage) =>
    Array.from({ length: Math.ceil(count / rowWindows) }, (_, i) => ({
      passage,
      from: i * rowWindows,
      to: Math.min(count, (i + 1) * rowWindows),
    })),
  );
}

function memoryBatch(
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
interface Piece {
  readonly ids: Int32Array;
  /** Places in the sequence. */
  readonly tokens: readonly number[];
  /** The row's window of each token. */
  readonly windows: readonly number[];
}

function pieceOf({ from, to }: Row, { memory }: MemoryText, sequence: Sequence | undefined): Piece {
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

function pointerBatch({ text }: AskedStates, pieces: readonly Piece[], tokenizer: Tokenizer): HostTensors {
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
