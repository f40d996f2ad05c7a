import { ClaraError } from "@clara/core";
import type { Engine, HostTensors, Params, GenerateOptions as Sampling } from "@clara/engine";
import { type ClaraTokenizer, type DecoderConfig, paraphraseInstructions, type RenderChat } from "@clara/model";
import { promptIds } from "./prompt-ids.ts";
import { decoderSteps } from "./steps.ts";

export interface ClaraGeneratorOptions {
  /**
   * The decoder with its added tokens, in the engine by our paths (`decoderArrays`). Frozen and shared: the store that the
   * compressor reads.
   */
  readonly base: Params;
  /** The generator's adapter in the engine by our paths (`adapterArrays`). */
  readonly adapter: Params;
  readonly decoder: DecoderConfig;
  readonly tokenizer: ClaraTokenizer;
  /** The decoder's chat template. */
  readonly render: RenderChat;
  /** Tokens of the longest prompt. @default 1024, as the published weights were trained */
  readonly promptTokens?: number;
  /** alpha / R of the adapter. @default 2 */
  readonly loraScale?: number;
  /**
   * Copies the base twice, in the order that is read fastest: all of it, only what is in 4 or 8 bits, or nothing. Without, one
   * copy in the engine is for all; but a token from a packed one then takes up to 40 times as long. @default "packed"
   */
  readonly prepack?: boolean | "packed";
  /** Whether products with weights in 4 or 8 bits round a token's numbers to 8 bits, which is faster. False: exact. @default true */
  readonly roundInputs?: boolean;
}

export interface ClaraGenerateOptions extends Pick<Sampling, "temperature" | "topP" | "seed" | "signal"> {
  /** Most tokens of each answer, its end included. @default 128 */
  readonly maxTokens?: number;
  /** Ids that end an answer. @default the tokenizer's end of sentence */
  readonly stop?: readonly number[];
  /** Called with each token as it comes: the row of the answer that it belongs to, and its id. */
  readonly onToken?: ((row: number, id: number) => void) | undefined;
}

export interface ClaraAnswer {
  readonly text: string;
  /** Tokens of the answer, with the one that ended it. */
  readonly ids: readonly number[];
  /** Whether it ended by itself; false when it was stopped at `maxTokens`. */
  readonly ended: boolean;
  /** Mean of its tokens' log-probabilities (at temperature 1), at most 0: e to it is their geometric mean. */
  readonly logProbability: number;
}

/** A memory as the compressor made it, or as a pack has kept it: [M·D], row-major. */
export interface GivenMemory {
  readonly vectors: Float32Array;
}

/** What a prompt asks of memories: an answer to a question, or other words, asked for by one of the 13 instructions. */
export type ClaraTask =
  | { readonly task: "answer"; readonly question: string; readonly memories: readonly GivenMemory[] }
  | { readonly task: "paraphrase"; readonly instruction: number; readonly memories: readonly GivenMemory[] };

/** Writes what prompts with memories in them ask for. */
export interface ClaraGenerator {
  /** `M` and `D` of memories. */
  readonly memoryTokens: number;
  readonly width: number;
  /**
   * One answer for each task. A batch gives what its tasks give alone (log-probabilities but for rounding), drawn answers too:
   * each draws from its own seed. Tasks may have different numbers of memories.
   *
   * @throws ClaraError "input" when a task has no memory or its prompt is too long, "shape" when a memory is of another model,
   *   "option" for an impossible number, "aborted", "engine".
   */
  write(tasks: readonly ClaraTask[], options?: ClaraGenerateOptions): Promise<ClaraAnswer[]>;
  /** Frees the functions in the engine. The parameters stay the caller's. */
  dispose(): Promise<void>;
}

/**
 * The generator of a CLaRa: memories stand in the prompt in place of the documents.
 *
 * @throws ClaraError "option" for an impossible number, "weights" when the base lacks ids of the tokenizer, and what the engine
 *   throws.
 * @see He et al. 2025, "CLaRa", section 2. https://arxiv.org/abs/2511.18659
 */
export async function claraGenerator(
  engine: Pick<Engine, "decoder">,
  {
    base,
    adapter,
    decoder,
    tokenizer,
    render,
    promptTokens = 1024,
    loraScale = 2,
    prepack = "packed",
    roundInputs,
  }: ClaraGeneratorOptions,
): Promise<ClaraGenerator> {
  const { memoryTokens: M, firstMemoryId, size: vocabulary } = tokenizer;
  const { width: D } = decoder;
  if (!Number.isInteger(promptTokens) || promptTokens < 1) {
    throw new ClaraError(
      "option",
      `claraGenerator: promptTokens must be an integer of at least 1, got ${promptTokens}`,
    );
  }
  const running = await engine.decoder({
    ...decoderSteps({ decoder, memoryTokens: M, firstMemoryId, vocabulary, loraScale }),
    params: [base, adapter],
    prepack,
    roundInputs,
  });

  function promptOf(task: ClaraTask, at: number): HostTensors {
    const { memories } = task;
    const refuse = (code: "input" | "shape" | "option", what: string): ClaraError =>
      new ClaraError(code, `clara: task ${at}: ${what}`);
    const k = memories.length;
    if (k === 0) throw refuse("input", "there is no document; without one nothing can be answered");
    const foreign = memories.find(({ vectors }) => vectors.length !== M * D);
    if (foreign) {
      const got = foreign.vectors.length;
      throw refuse("shape", `memories of this model have ${M} vectors of ${D} numbers, ${M * D} in all, got ${got}`);
    }
    if (task.task === "paraphrase" && !paraphraseInstructions[task.instruction]) {
      const most = paraphraseInstructions.length - 1;
      throw refuse("option", `instruction must be a whole number from 0 to ${most}, got ${task.instruction}`);
    }
    const ids = promptIds(task, { tokenizer, render, documents: k, promptTokens });
    const data = new Float32Array(k * M * D);
    for (const [j, { vectors }] of memories.entries()) data.set(vectors, j * M * D);
    return {
      ids: { data: Int32Array.from(ids), shape: [1, ids.length] },
      memories: { data, shape: [1, k, M, D] },
    };
  }

  return {
    memoryTokens: M,
    width: D,
    async write(tasks, { maxTokens = 128, stop = [tokenizer.eosId], onToken, ...sampling } = {}) {
      if (tasks.length === 0) return [];
      const prompts = tasks.map(promptOf);
      const rows = tasks.map(() => ({ ids: [] as number[], sum: 0 }));
      const generating = { ...sampling, maxTokens, stop, logProbabilities: true };
      for await (const { row, id, logProbability } of running.generate(prompts, generating)) {
        rows[row]!.ids.push(id);
        rows[row]!.sum += logProbability!;
        onToken?.(row, id);
      }
      return rows.map(({ ids, sum }) => ({
        text: tokenizer.decode(ids),
        ids,
        ended: stop.includes(ids.at(-1)!),
        logProbability: sum / ids.length,
      }));
    },
    dispose: () => running.dispose(),
  };
}
