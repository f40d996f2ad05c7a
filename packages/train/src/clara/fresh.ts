import { ClaraError, type Weights } from "@clara/core";
import type { DecoderConfig } from "@clara/model";
import { random } from "../random.ts";

export interface FreshAdapterOptions {
  /** `R` */
  readonly rank: number;
  readonly seed: number;
}

/**
 * An adapter that changes nothing yet, by our paths: `a` [I, R] is drawn from -1/√I to 1/√I, `b` [R, O] is zero, for all seven
 * linear maps of every layer. As PEFT begins.
 *
 * @param base the decoder's arrays, of `decoderArrays`: their shapes are used
 * @throws ClaraError "option" for an impossible rank.
 * @see Hu et al. 2021, "LoRA", section 4.1. https://arxiv.org/abs/2106.09685
 */
export function freshAdapter(base: Weights, { rank, seed }: FreshAdapterOptions): Weights {
  if (!Number.isInteger(rank) || rank < 1) {
    throw new ClaraError("option", `freshAdapter: rank must be a whole number above 0, got ${rank}`);
  }
  const arrays: Record<string, Weights[string]> = {};
  const paths = Object.keys(base).filter((name) => /^layers\.\d+\..+\.weight$/.test(name));
  for (const [i, name] of paths.entries()) {
    const [I, O] = base[name]!.shape as [number, number];
    const { next } = random(seed, i);
    const bound = 1 / Math.sqrt(I);
    const path = name.slice(0, -".weight".length);
    arrays[`${path}.a`] = {
      shape: [I, rank],
      data: Float32Array.from({ length: I * rank }, () => bound * (2 * next() - 1)),
    };
    arrays[`${path}.b`] = { shape: [rank, O], data: new Float32Array(rank * O) };
  }
  return arrays;
}

/**
 * The decoder with rows for tokens that are added behind its vocabulary: memory tokens, `<AE>`, `<ENC>`, `<SEP>`. New rows of table
 * and head are the mean of the old ones, which makes new tokens neither likely nor unlikely; those of the table get a little
 * noise, or memory tokens could not come to differ.
 *
 * @param base the decoder's arrays, of `decoderArrays`
 * @param options.tokens how many
 * @param options.first id of the first one, `firstMemoryId` of the tokenizer. Tables of some bases, Qwen's for one, have more rows
 *   than there are tokens: those from here on are dropped, as the reference drops them. By default the vocabulary of `config`.
 * @throws ClaraError "option" when there are rows beyond the vocabulary already, or none below `first`.
 * @see Hewitt 2021, "Initializing New Word Embeddings for Pretrained Language Models". https://nlp.stanford.edu/~johnhew/vocab-expansion.html
 */
export function addTokens(
  base: Weights,
  { vocabulary }: DecoderConfig,
  { tokens, seed, first = vocabulary }: { readonly tokens: number; readonly seed: number; readonly first?: number },
): Weights {
  const [V = 0] = base.words?.shape ?? [];
  if (V !== vocabulary) {
    throw new ClaraError("option", `addTokens: the table must have the vocabulary's ${vocabulary} rows, got ${V}`);
  }
  if (!Number.isInteger(first) || first < 1 || first > V) {
    throw new ClaraError("option", `addTokens: first must be a whole number from 1 to ${V}, got ${first}`);
  }
  const grown = { ...base, words: grow(kept(base.words!, first), tokens, random(seed).next) };
  return base.head ? { ...grown, head: grow(kept(base.head, first), tokens, () => 0.5) } : grown;
}

/** The first rows. */
function kept({ shape, data }: Weights[string], rows: number): Weights[string] {
  const D = shape[1]!;
  return { shape: [rows, D], data: data.subarray(0, rows * D) };
}

/** [V, D] to [V + count, D]. */
function grow({ shape, data }: Weights[string], count: number, next: () => number): Weights[string] {
  const [V, D] = shape as [number, number];
  const [sum, squares] = [new Float64Array(D), new Float64Array(D)];
  data.forEach((value, i) => {
    sum[i % D]! += value;
    squares[i % D]! += value * value;
  });
  const out = new Float32Array((V + count) * D);
  out.set(data);
  for (let i = V * D; i < out.length; i++) {
    const mean = sum[i % D]! / V;
    const spread = Math.sqrt(Math.max(0, squares[i % D]! / V - mean * mean));
    // A uniform number of a hundredth of the rows' spread.
    out[i] = mean + 0.01 * spread * Math.sqrt(12) * (next() - 0.5);
  }
  return { shape: [V + count, D], data: out };
}
