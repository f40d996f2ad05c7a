import type { Weights } from "@clara/core";
import { bertEmbeddingArrays } from "./bert-arrays.ts";
import type { EncoderEngine, EngineParams } from "./engine.ts";

/** BERT's embeddings in an engine. Their creator calls `dispose`, after the encoders that use them. */
export interface EngineEmbeddings<Params extends EngineParams> {
  /** Rejected with ClaraError "engine" or "weights" when the engine does not take them. */
  readonly params: Promise<Params>;
  /** `D` */
  readonly width: number;
  /** `V` */
  readonly vocabulary: number;
  /** Most tokens of one sequence. */
  readonly positions: number;
  /** Token types. */
  readonly kinds: number;
  dispose(): Promise<void>;
}

/** Rows that the table of positions has at least: engines compile at lengths of their choice, all below it. */
const leastRows = 128;

/**
 * Puts the embeddings of a checkpoint into an engine, once for all encoders that share them: half of a small model.
 * They are on their way when this returns.
 *
 * @param options.transfer moves the arrays of `weights` instead of copying them: they are empty afterwards, and so is
 *   all that shares their buffers. Those of `readWeights` share none. @default false
 * @throws ClaraError "weights" when a tensor is missing or has another shape than the others ask for.
 */
export function bertEmbeddings<Params extends EngineParams>(
  engine: EncoderEngine<Params>,
  weights: Weights,
  { transfer = false }: { readonly transfer?: boolean } = {},
): EngineEmbeddings<Params> {
  const arrays = bertEmbeddingArrays(weights, "bertEmbeddings");
  const rows = (path: string): number => arrays[`embeddings.${path}`]!.shape[0]!;
  const width = arrays["embeddings.words"]!.shape[1]!;
  const positions = arrays["embeddings.positions"]!;
  const tables = { ...arrays, "embeddings.positions": padded(positions, width) };
  // A copy that is moved arrives sooner than arrays that are sent.
  const moved = transfer ? tables : copied(tables);
  const params = engine.params(moved, { transfer: true });
  params.catch(() => {}); // whoever waits for them is told
  return {
    params,
    width,
    vocabulary: rows("words"),
    positions: rows("positions"),
    kinds: rows("types"),
    async dispose() {
      await (await params).dispose();
    },
  };
}

function copied(arrays: Weights): Weights {
  const copies = Object.entries(arrays).map(([path, { shape, data }]) => [path, { shape, data: data.slice() }]);
  return Object.fromEntries(copies);
}

/** Rows of zeros that no run reaches. */
function padded(table: Weights[string], width: number): Weights[string] {
  if (table.shape[0]! >= leastRows) return table;
  const data = new Float32Array(leastRows * width);
  data.set(table.data);
  return { shape: [leastRows, width], data };
}
