import { ClaraError, type Memory, type Weights } from "@clara/core";
import type { Compiled, Engine, Specs } from "@clara/engine";
import { bertLayerArrays, type EngineEmbeddings, type EngineParams, nestBert, type Tokenizer } from "@clara/model";
import type { tf } from "@clara/tensor";
import { memoryBatch, pieceOf, pointerBatch, rowsOf } from "./memory-rows.ts";
import {
  type MemoryBatch,
  type MemoryReaderParams,
  type PointerBatch,
  pointerLogits,
  readMemories,
  windowLogits,
} from "./read-memories.ts";
import { bestSpans, type Span } from "./reader.ts";
import { layOut } from "./sequences.ts";

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
   * @throws ClaraError "shape" for states or memories of another width, "aborted", "engine" when the engine fails or
   *   the reader has been disposed.
   */
  windows(
    asked: AskedStates,
    passages: readonly MemoryText[],
    overlap: (text: string) => number,
    options?: { readonly signal?: AbortSignal | undefined },
  ): Promise<{ readonly none: number; readonly logits: Float32Array }[]>;
  /** The best spans of each passage, one for each of its clauses: from its memory and a table of words, nothing is encoded. @throws as `windows`. */
  point(
    asked: AskedStates,
    passages: readonly MemoryText[],
    overlap: (text: string) => number,
    options?: { readonly answerTokens?: number; readonly signal?: AbortSignal | undefined },
  ): Promise<Span[]>;
  /** Frees what it has put into the engine; the embeddings stay the caller's. */
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
  const parts: Promise<{ dispose(): Promise<void> }>[] = [Promise.resolve(params)];
  /** What an engine that has ended cannot free is free already. */
  const release = async (): Promise<void> => {
    for (const part of parts.splice(0).reverse()) await part.then((made) => made.dispose()).catch(() => {});
  };
  const table = await embeddings.params.catch(async (error: unknown) => {
    await release();
    throw error;
  });
  const stores = [table as unknown as typeof params, params];
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
    if (gate) return gate;
    gate = engine.compile(
      (inputs, tensors) => {
        const reader = nestMemoryReader(tensors);
        return { logits: windowLogits(reader, readMemories(reader, inputs as MemoryBatch, { heads, layerNormEps })) };
      },
      specs,
      { params: stores },
    );
    parts.push(gate);
    return gate;
  };
  const pointing = () => {
    if (pointer) return pointer;
    pointer = engine.compile(
      (inputs, tensors) => {
        const reader = nestMemoryReader(tensors);
        const read = readMemories(reader, inputs as MemoryBatch, { heads, layerNormEps });
        const words = tensors["embeddings.words"] as tf.Tensor2D;
        return { logits: pointerLogits(reader, words, read, inputs as unknown as PointerBatch) };
      },
      { ...specs, ...pointerSpecs },
      { params: stores },
    );
    parts.push(pointer);
    return pointer;
  };
  let disposed = false;
  const check = (where: string, { states }: AskedStates, passages: readonly MemoryText[]): void => {
    if (disposed) throw new ClaraError("engine", `${where}: the reader has been disposed; create another`);
    if (states.length === 0 || states.length % width !== 0) {
      throw new ClaraError(
        "shape",
        `${where}: the question's states must be rows of ${width}, got ${states.length} numbers`,
      );
    }
    const foreign = passages.find(({ memory }) => memory.width !== d);
    if (foreign) {
      throw new ClaraError(
        "shape",
        `${where}: memories must be ${d} wide, as the reader was trained, got ${foreign.memory.width}; compress the documents with its model`,
      );
    }
  };

  return {
    async windows(asked, passages, overlap, { signal } = {}) {
      check("memoryReader.windows", asked, passages);
      const rows = rowsOf(passages);
      if (rows.length === 0) return passages.map(() => ({ none: 0, logits: new Float32Array(0) }));
      const batch = memoryBatch(asked, rows, passages, overlap, { width, d });
      const { logits } = await (await gating()).run(batch, { signal });
      const { data, shape } = logits!;
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
      check("memoryReader.point", asked, passages);
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
      const { logits } = await (await pointing()).run(batch, { signal });
      const { data, shape } = logits!;
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
      disposed = true;
      await release();
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
