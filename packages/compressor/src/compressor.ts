import { setImmediate } from "node:timers/promises";
import { ClaraError, type Memory, throwIfAborted } from "@clara/core";
import type { Encoder, TokenBatch, Tokenizer } from "@clara/model";
import { batchByLength } from "./batches.ts";
import { type Bottleneck, narrow, narrowMemory } from "./bottleneck.ts";
import { type CompressibleText, type Layout, layOut, type Segment } from "./segments.ts";
import { createPooling, type Pooling } from "./windows.ts";

/** Passages whose tokens and sums are held at a time. */
const slabPassages = 1024;
const maxRate = 256;

export interface CompressorOptions {
  readonly encoder: Pick<Encoder, "width" | "run">;
  /** The encoder's own. */
  readonly tokenizer: Tokenizer;
  /** Makes memories and question vectors narrower than the encoder's states. @default they are as wide */
  readonly bottleneck?: Bottleneck | undefined;
  /** Encodes questions, where a query reasoner was trained for them; as wide as the encoder. @default the encoder */
  readonly queryEncoder?: Pick<Encoder, "width" | "run"> | undefined;
  /** Tokens of one sequence, CLS, title and SEP included; at least 4, at most the encoder's positions. @default 256 */
  readonly maxTokens?: number;
}

export interface CompressOptions {
  /** Tokens averaged into one memory token, 1 to 256. @default 16 */
  readonly rate?: number;
  /**
   * Tokens of one run of the encoder, padding included; a longer sequence runs alone. Larger runs are slower: their states leave
   * the processor's cache.
   * @default 1024
   */
  readonly batchTokens?: number;
  /** Called after each batch with the passages that are finished, and all. */
  readonly onProgress?: ((done: number, total: number) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface Compressor {
  /** Width `D` of memories and of question vectors. */
  readonly width: number;
  /**
   * Memories in the order of the passages. Each window of `rate` tokens of [CLS] title text [SEP] becomes the mean of its
   * final states. A passage longer than `maxTokens` is encoded in parts, nothing is cut off. Equal passages are encoded
   * once and share one memory.
   *
   * @throws ClaraError "option" for an impossible number, "aborted", and what the encoder throws.
   */
  compress(passages: readonly CompressibleText[], options?: CompressOptions): Promise<Memory[]>;
  /** A question in the space of the memories. */
  query(text: string, options?: { readonly signal?: AbortSignal | undefined }): Promise<QueryStates>;
}

/** A question as the compressor sees it. */
export interface QueryStates {
  /** [d]: the mean of its states, CLS and SEP included, through the bottleneck, at length 1. */
  readonly vector: Float32Array;
  /** [U, D], row-major: the final states of its tokens, CLS first: what a reader of memories is asked with. */
  readonly states: Float32Array;
}

/**
 * Text to memory and question to vector. The encoders stay the caller's.
 *
 * @throws ClaraError "option" for an impossible number, "shape" when encoder, bottleneck and query encoder do not fit.
 */
export function createCompressor({
  encoder,
  tokenizer,
  bottleneck,
  queryEncoder = encoder,
  maxTokens = 256,
}: CompressorOptions): Compressor {
  checkInteger("createCompressor: maxTokens", maxTokens, 4);
  const { width } = encoder;
  if (bottleneck) checkInteger("createCompressor: bottleneck.width", bottleneck.width, 1);
  if (bottleneck && bottleneck.weight.length !== width * bottleneck.width) {
    const [needs, got] = [width * bottleneck.width, bottleneck.weight.length];
    throw new ClaraError(
      "shape",
      `createCompressor: the bottleneck from ${width} to ${bottleneck.width} needs ${needs} numbers, got ${got}`,
    );
  }
  if (queryEncoder.width !== width) {
    throw new ClaraError(
      "shape",
      `createCompressor: queryEncoder must be as wide as the encoder, ${width}, got ${queryEncoder.width}`,
    );
  }

  async function compress(
    passages: readonly CompressibleText[],
    { rate = 16, batchTokens = 1024, onProgress, signal }: CompressOptions = {},
  ): Promise<Memory[]> {
    checkInteger("compress: rate", rate, 1, maxRate);
    checkInteger("compress: batchTokens", batchTokens, 1);
    const { unique, places } = distinct(passages);
    const memories: Memory[] = new Array(passages.length);
    let done = 0;
    for (let start = 0; start < unique.length; start += slabPassages) {
      const slab = unique.slice(start, start + slabPassages);
      const layouts = await layOutAll(slab, signal);
      const jobs = layouts.flatMap((layout, i) => {
        const pooling = createPooling(layout, rate, width);
        return layout.segments.map((segment) => ({ segment, pooling, places: places[start + i]! }));
      });
      const lengths = jobs.map(({ segment }) => segment.ids.length);
      for (const batch of batchByLength(lengths, batchTokens)) {
        throwIfAborted(signal, "compress");
        const members = batch.map((i) => jobs[i]!);
        await encode(members, signal);
        for (const { pooling, places } of new Map(members.map((member) => [member.pooling, member])).values()) {
          if (pooling.missing() > 0) continue;
          const memory = bottleneck ? narrowMemory(pooling.memory(), bottleneck) : pooling.memory();
          for (const place of places) memories[place] = memory;
          done += places.length;
        }
        onProgress?.(done, passages.length);
      }
    }
    return memories;
  }

  async function layOutAll(slab: readonly CompressibleText[], signal: AbortSignal | undefined): Promise<Layout[]> {
    const layouts: Layout[] = [];
    for (const [i, passage] of slab.entries()) {
      // Splitting text into tokens is the main thread's work: let others have a turn.
      if (i % 16 === 15) await setImmediate();
      throwIfAborted(signal, "compress");
      layouts.push(layOut(tokenizer, passage, maxTokens));
    }
    return layouts;
  }

  async function encode(members: readonly { segment: Segment; pooling: Pooling }[], signal: AbortSignal | undefined) {
    const batch = pad(
      members.map(({ segment }) => segment.ids),
      tokenizer.pad,
    );
    const states = await encoder.run(batch, { signal });
    const rowSize = batch.shape[1] * width;
    members.forEach(({ segment, pooling }, row) => {
      pooling.add(segment, states.subarray(row * rowSize, (row + 1) * rowSize));
    });
  }

  return {
    width: bottleneck?.width ?? width,
    compress,
    async query(text, { signal } = {}) {
      throwIfAborted(signal, "query");
      const { segments, length } = layOut(tokenizer, { text }, maxTokens);
      const batch = pad(
        segments.map(({ ids }) => ids),
        tokenizer.pad,
      );
      const run = await queryEncoder.run(batch, { signal });
      const states = new Float32Array(length * width);
      segments.forEach(({ ids, offset }, row) => {
        const from = row * batch.shape[1] * width;
        states.set(run.subarray(from, from + ids.length * width), offset * width);
      });
      // The bottleneck is linear: the sum goes through it once, instead of every state.
      const sum = sumOf(states, width);
      return { vector: unit(bottleneck ? narrow(sum, bottleneck) : sum), states };
    },
  };
}

/** The sum of rows [U, D], whose direction is their mean's. */
function sumOf(rows: Float32Array, width: number): Float32Array {
  const sum = new Float64Array(width);
  rows.forEach((x, i) => {
    sum[i % width]! += x;
  });
  return Float32Array.from(sum);
}

/** The same direction at length 1; zeros stay zeros. */
function unit(vector: Float32Array): Float32Array {
  const norm = Math.hypot(...vector);
  return norm > 0 ? vector.map((x) => x / norm) : vector;
}

/** Each different passage once, with the positions it has in the list. */
function distinct(passages: readonly CompressibleText[]): { unique: CompressibleText[]; places: number[][] } {
  const unique: CompressibleText[] = [];
  const places: number[][] = [];
  const seen = new Map<string, number[]>();
  for (const [i, passage] of passages.entries()) {
    const { text, title = "" } = passage;
    const key = `${title.length} ${title}${text}`;
    const known = seen.get(key);
    if (known) {
      known.push(i);
      continue;
    }
    const mine = [i];
    seen.set(key, mine);
    unique.push(passage);
    places.push(mine);
  }
  return { unique, places };
}

function pad(sequences: readonly Int32Array[], filler: number): TokenBatch {
  const B = sequences.length;
  const T = Math.max(...sequences.map((ids) => ids.length));
  const ids = new Int32Array(B * T).fill(filler);
  const mask = new Int32Array(B * T);
  sequences.forEach((sequence, row) => {
    ids.set(sequence, row * T);
    mask.fill(1, row * T, row * T + sequence.length);
  });
  return { ids, types: new Int32Array(B * T), mask, shape: [B, T] };
}

function checkInteger(what: string, value: number, least: number, most: number = Number.MAX_SAFE_INTEGER): void {
  if (Number.isInteger(value) && value >= least && value <= most) return;
  const range = most === Number.MAX_SAFE_INTEGER ? `of at least ${least}` : `from ${least} to ${most}`;
  throw new ClaraError("option", `${what} must be an integer ${range}, got ${value}`);
}
