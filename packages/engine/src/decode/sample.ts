/** How the next token is chosen. */
export interface SampleOptions {
  /** 0 takes the most probable token; 1 draws by the model's probabilities, less sharpens them, more flattens them. */
  readonly temperature: number;
  /** Draws among the most probable tokens that have this probability together, above 0; 1 draws among all. */
  readonly topP: number;
}

/** Tokens and what each weighs; weights do not sum up to 1. */
export interface Candidates {
  readonly ids: ArrayLike<number>;
  readonly weights: ArrayLike<number>;
}

/**
 * The id of the next token. Equal logits count in the order of their ids.
 *
 * @param logits of each id; -Infinity for one that must not come
 * @param draw a number from 0 up to 1; not called at temperature 0
 */
export function sample(logits: Float32Array, { temperature, topP }: SampleOptions, draw: () => number): number {
  if (temperature === 0) return largest(logits);
  const { ids, weights } = candidates(logits, temperature, topP);
  let rest = draw() * total(weights);
  for (let i = 0; i < weights.length; i++) {
    rest -= weights[i]!;
    if (rest < 0) return ids[i]!;
  }
  return largest(logits); // rounding has left something over
}

/**
 * The tokens to draw among, in the order of their ids: all, or with `topP` below 1 the fewest that have this probability
 * together.
 *
 * @see Holtzman et al. 2020, "The Curious Case of Neural Text Degeneration", section 3.1. https://arxiv.org/abs/1904.09751
 */
export function candidates(logits: Float32Array, temperature: number, topP: number): Candidates {
  const most = logits[largest(logits)]!;
  const weights = new Float64Array(logits.length);
  for (let id = 0; id < weights.length; id++) weights[id] = Math.exp((logits[id]! - most) / temperature);
  const sum = total(weights);
  // All tokens below an even share of 1 - topP have less than 1 - topP together: none is needed, and few are left to sort.
  const least = topP < 1 ? ((1 - topP) * sum) / weights.length : 0;
  const kept = select(weights, (weight) => weight >= least);
  if (topP >= 1) return kept;
  const sorted = kept.weights.toSorted(); // numbers alone: several times as fast as ids by their weights
  let last = sorted.length;
  for (let reached = 0; last > 0 && (reached < topP * sum || last === sorted.length); ) reached += sorted[--last]!;
  const limit = sorted[last]!;
  // Of tokens that weigh as much as the last one, as many as it takes, by their ids.
  let equals = sorted.lastIndexOf(limit) - last + 1;
  return select(weights, (weight) => weight > limit || (weight === limit && equals-- > 0));
}

/** Those that a test takes. With loops, not the methods of arrays: the vocabulary is gone through for every token. */
function select(weights: Float64Array, takes: (weight: number) => boolean): Candidates & { weights: Float64Array } {
  const ids = new Int32Array(weights.length);
  const taken = new Float64Array(weights.length);
  let count = 0;
  for (let id = 0; id < weights.length; id++) {
    if (!takes(weights[id]!)) continue;
    ids[count] = id;
    taken[count++] = weights[id]!;
  }
  return { ids: ids.subarray(0, count), weights: taken.subarray(0, count) };
}

/** The natural logarithm of a token's probability at temperature 1. */
export function logProbability(logits: Float32Array, id: number): number {
  const most = logits[largest(logits)]!;
  let sum = 0;
  for (const logit of logits) sum += Math.exp(logit - most);
  return logits[id]! - most - Math.log(sum);
}

/** The place of the first number that no probabilities can be made of: NaN or Infinity; -1 when there is none. */
export function firstUnusable(logits: Float32Array): number {
  for (let i = 0; i < logits.length; i++) if (!(logits[i]! < Infinity)) return i;
  return logits[largest(logits)] === -Infinity ? 0 : -1;
}

/** The first place of the largest number. */
function largest(logits: Float32Array): number {
  let best = 0;
  for (let i = 1; i < logits.length; i++) if (logits[i]! > logits[best]!) best = i;
  return best;
}

function total(weights: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < weights.length; i++) sum += weights[i]!;
  return sum;
}
