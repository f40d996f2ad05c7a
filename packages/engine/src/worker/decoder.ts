import { ClaraError } from "@clara/core";
import { type Cache, createCache } from "../decode/cache.ts";
import { createRandom } from "../decode/random.ts";
import { firstUnusable, logProbability, sample } from "../decode/sample.ts";
import type { HostTensors, Requests, Token } from "../protocol.ts";
import type { Sizes } from "../size.ts";
import { explain } from "./explain.ts";
import type { Loaded, Param, Runner } from "./runner.ts";

/** How a request is answered in parts, and stopped. */
export interface Call {
  part(value: unknown): void;
  readonly signal: AbortSignal;
}

/** Writes sequences token by token. The cache lives as long as one `generate`. */
export interface Decoder {
  /** Sends lists of tokens: one for each prompt that is read, then one for each step. */
  generate(ask: Requests["generate"]["ask"], call: Call): Promise<undefined>;
  release(): Promise<void>;
}

/**
 * Tokens of a prompt that are read at once: the scores of attention take memory for each pair of these and the slots, and
 * between two parts a prompt can be stopped.
 */
const promptTokens = 256;

const where = "decoder.generate";

/** A sequence that goes on. Its place in the list of these is its place in the cache. */
interface Row {
  readonly row: number;
  readonly draw: () => number;
  /** Tokens in the cache. */
  length: number;
  /** The newest token, which is not in the cache yet. */
  id: number;
  /** Tokens so far. */
  count: number;
  done: boolean;
}

export async function createDecoder(
  runner: Runner,
  params: ReadonlyMap<string, Param>,
  { step, prompt, cache: shape, options }: Requests["decoder"]["ask"],
): Promise<Decoder> {
  const stepping = await runner.load(step, params, options);
  const prompting = prompt && (await runner.load(prompt, params, options));
  const words = step.values[step.outputs.find(({ name }) => name === "logits")!.value]!.shape[1] as number;

  return {
    async generate(
      { prompts, lengths, seeds, stop, maxTokens, temperature, topP, logProbabilities },
      { part, signal },
    ) {
      const cache = createCache(shape, prompts.length, Math.max(...lengths));
      // Attention over an empty cache is that over one empty slot.
      const nothing = createCache({ ...shape, leastSlots: 1 }, prompts.length, 1);
      const logits = new Float32Array(prompts.length * words);
      const ends = new Set(stop);

      /** Runs over sequences `first` and following, and keeps the new tokens' keys and values. */
      async function run(loaded: Loaded, first: number, lengths: Int32Array, inputs: HostTensors, sizes: Sizes) {
        // A turn of the event loop, in which a request to stop is seen.
        await new Promise((resolve) => setImmediate(resolve));
        if (signal.aborted) throw new ClaraError("aborted", `${where}: stopped by the caller`);
        const B = lengths.length;
        const seen = lengths.some((length) => length > 0) ? cache : nothing;
        const given = { ...inputs, ...seen.view(first, B), lengths: { data: lengths, shape: [B] } };
        const all = { ...sizes, B, C: seen.slots };
        const results = loaded.run(given, all, { logits: logits.subarray(0, B * words) });
        const made = await results.catch((error) => explain(error, where, loaded === stepping ? step : prompt!, all));
        cache.append(first, lengths, sizes.T!, made);
      }

      async function read(at: number, prompt: (typeof prompts)[number], length: number): Promise<void> {
        if (!(prompt instanceof Int32Array)) {
          return run(prompting!, at, Int32Array.of(0), prompt.inputs, prompt.sizes);
        }
        for (let from = 0; from < length; from += promptTokens) {
          const ids = prompt.subarray(from, from + promptTokens);
          const T = ids.length;
          await run(stepping, at, Int32Array.of(from), { ids: { data: ids, shape: [1, T] } }, { T });
        }
      }

      /** Chooses the next token of a sequence by the logits at a place. */
      function choose(state: Row, at: number): Token {
        const own = logits.subarray(at * words, (at + 1) * words);
        const wrong = firstUnusable(own);
        if (wrong >= 0) {
          throw new ClaraError(
            "engine",
            `${where}: row ${state.row}, token ${state.count}: the step gives logits that cannot be used ` +
              `(number ${wrong} of ${words} is ${own[wrong]}); look for it in the weights or the function`,
          );
        }
        state.id = sample(own, { temperature, topP }, state.draw);
        state.count++;
        state.done = ends.has(state.id) || state.count === maxTokens || state.length >= shape.mostSlots;
        const { row, id } = state;
        return logProbabilities ? { row, id, logProbability: logProbability(own, id) } : { row, id };
      }

      const live: Row[] = [];
      // One by one: no padding is computed, and a sequence is read as if it were alone.
      for (const [row, prompt] of prompts.entries()) {
        const length = lengths[row]!;
        await read(live.length, prompt, length);
        const state: Row = { row, draw: createRandom(seeds[row]!), length, id: 0, count: 0, done: false };
        part([choose(state, 0)]);
        if (!state.done) live.push(state);
      }
      while (live.length > 0) {
        const lengths = Int32Array.from(live, ({ length }) => length);
        cache.reserve(Math.max(...lengths) + 1);
        const ids = { data: Int32Array.from(live, ({ id }) => id), shape: [live.length, 1] };
        await run(stepping, 0, lengths, { ids }, { T: 1 });
        for (const state of live) state.length++;
        part(live.map(choose));
        leave(live, cache);
      }
      return undefined;
    },
    async release() {
      await stepping.release();
      await prompting?.release();
    },
  };
}

/** Takes out the sequences that are done; the last ones take their places in the list and in the cache. */
function leave(live: Row[], cache: Cache): void {
  for (let at = live.length - 1; at >= 0; at--) {
    if (!live[at]!.done) continue;
    const last = live.pop()!;
    if (at === live.length) continue;
    cache.copy(live.length, at, last.length);
    live[at] = last;
  }
}
