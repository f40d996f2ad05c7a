import { setImmediate } from "node:timers/promises";
import { ClaraError, type Memory, throwIfAborted } from "@clara/core";
import {
  type ClaraTokenizer,
  type CompiledEncoder,
  compressRows,
  type DecoderConfig,
  type EncoderEngine,
  type EngineParams,
  nestAdapter,
  nestDecoder,
} from "@clara/model";
import { tf } from "@clara/tensor";
import { batchesOfOneLength, type CutText, type TextRow, textRow } from "./text-rows.ts";

export interface ClaraCompressorOptions<Params extends EngineParams> {
  /**
   * The decoder with its added tokens, in the engine by our paths (`decoderArrays`). Frozen and shared: the same store serves
   * both roles here and the generator.
   */
  readonly base: Params;
  /**
   * Adapters in the engine by our paths (`adapterArrays`). Only checkpoints of the stage `endToEnd` have one for queries: with
   * those of other stages the compressor's can be given for both, as a query reasoner begins its training as a copy of it.
   */
  readonly adapters: { readonly compressor: Params; readonly query?: Params | undefined };
  readonly decoder: DecoderConfig;
  readonly tokenizer: ClaraTokenizer;
  /** Tokens of the longest text, `doc_max_length` of a published checkpoint. @default 256 */
  readonly documentTokens?: number;
  /** alpha / R of the adapters. @default 2 */
  readonly loraScale?: number;
  /**
   * Copies the base for each role, in the order that is read fastest: all of it, only what is in 4 or 8 bits, or nothing.
   * Without, one copy in the engine is for all; but a question read by a packed one then takes ten times as long.
   * @default "packed"
   */
  readonly prepack?: boolean | "packed";
}

export interface ClaraTextOptions {
  /** Tokens of one run of the decoder; a longer row runs alone. @default 4096 */
  readonly batchTokens?: number;
  /** Called after each run with the texts that are done, and all. */
  readonly onProgress?: ((done: number, total: number) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Reads documents into memories and questions into queries: one decoder in two roles. */
export interface ClaraCompressor {
  /** `M` of a memory. */
  readonly memoryTokens: number;
  /** `D` */
  readonly width: number;
  /**
   * Memories in the order of the documents, whatever their batches. Equal documents are read once and share their vectors. A
   * document that is too long loses its end and is named in `cut`: split it before.
   *
   * @throws ClaraError "option" for an impossible number, "aborted", "engine".
   */
  compress(
    documents: readonly string[],
    options?: ClaraTextOptions,
  ): Promise<{ readonly memories: readonly Memory[]; readonly cut: readonly CutText[] }>;
  /**
   * Queries [M·D] in the order of the questions, to be compared with memories [M·D] by cosine.
   *
   * @throws ClaraError as `compress`, and "unsupported" without an adapter for queries.
   */
  query(
    questions: readonly string[],
    options?: ClaraTextOptions,
  ): Promise<{ readonly queries: readonly Float32Array[]; readonly cut: readonly CutText[] }>;
  /** Frees the functions in the engine. The parameters stay the caller's. */
  dispose(): Promise<void>;
}

/**
 * The compressor and the query reasoner of a CLaRa. Nothing of a text is understood as a control token.
 *
 * @throws ClaraError "option" for an impossible number, "weights" when the base lacks ids of the tokenizer, and what the engine
 *   throws.
 * @see He et al. 2025, "CLaRa", section 2. https://arxiv.org/abs/2511.18659
 */
export async function claraCompressor<Params extends EngineParams>(
  engine: EncoderEngine<Params>,
  options: ClaraCompressorOptions<Params>,
): Promise<ClaraCompressor> {
  const { base, adapters, decoder, tokenizer, documentTokens = 256, loraScale = 2, prepack = "packed" } = options;
  const { memoryTokens: M } = tokenizer;
  const { width: D } = decoder;
  atLeastOne("claraCompressor: documentTokens", documentTokens);
  const key = `claraCompressor 1\n${JSON.stringify({ decoder, M, loraScale, size: tokenizer.size })}`;
  const build = (adapter: Params): Promise<CompiledEncoder> =>
    engine.compile(
      ({ ids }, tensors) => ({ memory: readRows(ids as tf.Tensor2D, tensors, { decoder, tokenizer, loraScale }) }),
      { ids: { shape: ["B", "T"], dtype: "int32" } },
      // A row ends in the memory tokens, and something is before them.
      { params: [base, adapter], key, prepack, leastSizes: { T: M + 1 } },
    );
  const compressing = await build(adapters.compressor);
  const same = adapters.query === adapters.compressor;
  const querying = same ? compressing : adapters.query && (await build(adapters.query));

  /** Vectors [M·D] of each text, equal rows computed once. */
  async function read(
    where: string,
    role: CompiledEncoder,
    texts: readonly string[],
    { batchTokens = 4096, onProgress, signal }: ClaraTextOptions,
  ): Promise<{ rows: TextRow[]; vectors: Float32Array[]; cut: CutText[] }> {
    atLeastOne(`${where}: batchTokens`, batchTokens);
    const rows: TextRow[] = [];
    for (const [i, text] of texts.entries()) {
      // Splitting text into tokens is the main thread's work: let others have a turn.
      if (i % 16 === 15) await setImmediate();
      throwIfAborted(signal, where);
      rows.push(textRow(tokenizer, text, documentTokens));
    }
    const places = [...Map.groupBy(rows.keys(), (i) => rows[i]!.ids.join()).values()];
    const lengths = places.map(([first]) => rows[first!]!.ids.length);
    const vectors: Float32Array[] = new Array(texts.length);
    let done = 0;
    for (const batch of batchesOfOneLength(lengths, batchTokens)) {
      throwIfAborted(signal, where);
      const data = Int32Array.from(batch.flatMap((i) => rows[places[i]![0]!]!.ids));
      const shape = [batch.length, lengths[batch[0]!]!];
      const { memory } = await role.run({ ids: { data, shape } }, { signal });
      const all = memory!.data as Float32Array;
      for (const [b, i] of batch.entries()) {
        const vector = all.slice(b * M * D, (b + 1) * M * D);
        for (const place of places[i]!) vectors[place] = vector;
        done += places[i]!.length;
      }
      onProgress?.(done, texts.length);
    }
    const cut = rows.flatMap(({ lostTokens }, text) => (lostTokens === undefined ? [] : [{ text, lostTokens }]));
    return { rows, vectors, cut };
  }

  return {
    memoryTokens: M,
    width: D,
    async compress(documents, options = {}) {
      const { rows, vectors, cut } = await read("compress", compressing, documents, options);
      return { memories: vectors.map((vector, i) => memoryOf(documents[i]!, rows[i]!, vector)), cut };
    },
    async query(questions, options = {}) {
      if (!querying) {
        const advice = "only checkpoints of the stage endToEnd (E2E) have one";
        throw new ClaraError("unsupported", `query: there is no adapter for queries; ${advice}`);
      }
      const { vectors, cut } = await read("query", querying, questions, options);
      return { queries: vectors, cut };
    },
    async dispose() {
      await compressing.dispose();
      if (!same) await querying?.dispose();
    },
  };

  function memoryOf(text: string, { ids, lostTokens }: TextRow, vectors: Float32Array): Memory {
    // Every vector has read all of the text: none stands for a part of it.
    const read = lostTokens ? tokenizer.decode(ids).length : text.length;
    return {
      rate: Math.floor(documentTokens / M),
      count: M,
      width: D,
      vectors,
      tokens: new Uint16Array(M).fill(Math.max(1, Math.round((ids.length - M) / M))),
      spans: Uint32Array.from({ length: 2 * M }, (_, i) => (i % 2) * Math.min(read, text.length)),
    };
  }
}

/** Final states of the memory tokens that rows [B, T] without padding end in: [B, M, D]. */
function readRows(
  ids: tf.Tensor2D,
  tensors: Readonly<Record<string, tf.Tensor>>,
  { decoder, tokenizer, loraScale }: { decoder: DecoderConfig; tokenizer: ClaraTokenizer; loraScale: number },
): tf.Tensor3D {
  const isAdapter = (name: string): boolean => /\.[ab]$/.test(name);
  const params = nestDecoder(Object.fromEntries(Object.entries(tensors).filter(([name]) => !isAdapter(name))));
  const rows = params.words.shape[0];
  if (rows < tokenizer.size) {
    throw new ClaraError(
      "weights",
      `claraCompressor: the base has ${rows} rows of embeddings, and the tokenizer ${tokenizer.size} ids; ` +
        "are the checkpoint's tables in it, and the base model's tokenizer with it?",
    );
  }
  const options = { ...decoder, adapter: nestAdapter(tensors, loraScale), memoryTokens: tokenizer.memoryTokens };
  return compressRows(params, ids, tf.onesLike(ids), options).memory;
}

function atLeastOne(what: string, value: number): void {
  if (Number.isInteger(value) && value >= 1) return;
  throw new ClaraError("option", `${what} must be an integer of at least 1, got ${value}`);
}
