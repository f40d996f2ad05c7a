import { availableParallelism } from "node:os";
import { ClaraError, type Weights } from "@clara/core";
import { type Channel, openChannel } from "./channel.ts";
import type { Request } from "./protocol.ts";
import { readStack, stackBuffers, wordTable } from "./stack.ts";

export interface EncoderOptions {
  /** float32 tensors under Hugging Face's names for BERT; the word table is used where it is, the rest is copied. */
  readonly weights: Weights;
  readonly layers: number;
  readonly heads: number;
  /** What stands before the names: `<embeddings>.word_embeddings.weight`, `<layer>.0.attention.self.query.weight`. */
  readonly prefix: { readonly embeddings: string; readonly layer: string };
  /** @default 1e-12 */
  readonly layerNormEps?: number;
  /** Threads of one run. @default the machine's cores, at most 4 */
  readonly threads?: number;
}

/** Padded token sequences; each array is [B, T], row-major. */
export interface TokenBatch {
  readonly ids: Int32Array;
  /** Token types: 0 for the first part of a pair, 1 for the second. */
  readonly types: Int32Array;
  /** 1 for a token, 0 for padding. */
  readonly mask: Int32Array;
  readonly shape: readonly [B: number, T: number];
}

export interface RunOptions {
  readonly signal?: AbortSignal | undefined;
}

/** A transformer encoder that runs off the main thread. Its creator calls `dispose`. */
export interface Encoder {
  /** Model width `D`. */
  readonly width: number;
  /**
   * Final states [B, T, D], row-major. Rows of padding mean nothing. Runs queue: one at a time, in order of the calls.
   *
   * @throws ClaraError "shape" when the arrays are not [B, T] or T exceeds the positions, "input" for an id or type
   *   that the model does not have, "aborted" as soon as the signal fires, "engine" when the worker fails or has ended.
   */
  run(batch: TokenBatch, options?: RunOptions): Promise<Float32Array>;
  /** Ends the worker; unfinished runs are rejected with ClaraError "engine". */
  dispose(): Promise<void>;
}

/**
 * Runs a BERT encoder in ONNX Runtime, in a worker thread that does not keep the process alive when idle.
 *
 * @throws ClaraError "weights" when a tensor is missing or misshapen, "option" for impossible numbers, "engine" when
 *   ONNX Runtime cannot load.
 */
export async function createEncoder({
  weights,
  layers,
  heads,
  prefix,
  layerNormEps = 1e-12,
  threads = Math.min(4, availableParallelism()),
}: EncoderOptions): Promise<Encoder> {
  if (!Number.isInteger(threads) || threads < 1) {
    throw new ClaraError("option", `createEncoder: threads must be an integer of at least 1, got ${threads}`);
  }
  const { V, D, data: words } = wordTable(weights, prefix.embeddings);
  const stack = readStack({ weights, layers, heads, prefix, layerNormEps });
  const { positions, kinds } = stack;
  // From sources the worker is TypeScript too; a bundle has it beside the file that this line ends up in.
  const file = import.meta.url.endsWith(".ts") ? "./worker.ts" : "./worker.js";
  const channel = openChannel(new URL(file, import.meta.url), "encoder");
  await create(channel, { kind: "create", stack, threads }, stackBuffers(stack));

  return {
    width: D,
    async run(batch, { signal } = {}) {
      check(batch, V, kinds, positions);
      const { ids, types, mask, shape } = batch;
      const prepare = () => {
        const message: Request = {
          kind: "run",
          words: lookUp(words, D, ids),
          types: types.slice(),
          mask: mask.slice(),
          shape: [...shape, D],
        };
        const transfer = [message.words, message.types, message.mask].map(({ buffer }) => buffer as ArrayBuffer);
        return { message, transfer };
      };
      return (await channel.request(prepare, signal)) as Float32Array;
    },
    dispose: () => channel.close(),
  };
}

async function create(channel: Channel, message: Request, transfer: ArrayBuffer[]): Promise<void> {
  try {
    await channel.request(() => ({ message, transfer }));
  } catch (error) {
    await channel.close();
    throw error;
  }
}

/**
 * Word embeddings [B*T, D] of the ids. Here and not in the graph, so that encoders share one table and no thread
 * has a copy of it: it is half of a small model's weights, and the look-up takes a thousandth of a run's time.
 */
function lookUp(table: Float32Array, D: number, ids: Int32Array): Float32Array {
  const out = new Float32Array(ids.length * D);
  ids.forEach((id, i) => {
    out.set(table.subarray(id * D, (id + 1) * D), i * D);
  });
  return out;
}

function check({ ids, types, mask, shape }: TokenBatch, V: number, kinds: number, positions: number): void {
  const [B, T] = shape;
  if (!(B >= 1 && T >= 1) || [ids, types, mask].some((array) => array.length !== B * T)) {
    const got = `ids ${ids.length}, types ${types.length}, mask ${mask.length}`;
    throw new ClaraError("shape", `encoder.run: ids, types and mask must have ${B}*${T} numbers, got ${got}`);
  }
  if (T > positions) {
    throw new ClaraError("shape", `encoder.run: the model has ${positions} positions, got ${T} tokens; cut the text`);
  }
  const foreign = ids.find((id) => id < 0 || id >= V);
  if (foreign !== undefined) {
    throw new ClaraError(
      "input",
      `encoder.run: ids must be from 0 to ${V - 1}, got ${foreign}; is the tokenizer the model's?`,
    );
  }
  const unknown = types.find((type) => type < 0 || type >= kinds);
  if (unknown !== undefined) {
    throw new ClaraError("input", `encoder.run: types must be from 0 to ${kinds - 1}, got ${unknown}`);
  }
}
