import { type Compressor, rerate } from "@clara/compressor";
import type { Memory } from "@clara/core";

/**
 * The rates that must be compressed: each other rate is a multiple of one of them, and its memories follow exactly.
 *
 * @returns ascending
 */
export function compressedRates(rates: readonly number[]): number[] {
  const chosen: number[] = [];
  for (const rate of rates.toSorted((a, b) => a - b)) if (!chosen.some((fine) => rate % fine === 0)) chosen.push(rate);
  return chosen;
}

/**
 * A compressor for one list of passages at several rates, asked for in turn: it runs the model once for each of `compressedRates` and
 * makes the other memories from those. Only the last list is remembered.
 */
export function onceForAllRates(compressor: Compressor, rates: readonly number[]): Compressor {
  const fine = compressedRates(rates);
  const last = new Map<number, { passages: Parameters<Compressor["compress"]>[0]; memories: readonly Memory[] }>();
  return {
    ...compressor,
    async compress(passages, options = {}) {
      const { rate = 16 } = options;
      const finest = fine.find((each) => rate % each === 0);
      if (finest === undefined) return compressor.compress(passages, options);
      let known = last.get(finest);
      if (known === undefined || !same(known.passages, passages)) {
        known = { passages, memories: await compressor.compress(passages, { ...options, rate: finest }) };
        last.set(finest, known);
      }
      return known.memories.map((memory) => (memory.rate === rate ? memory : rerate(memory, rate)));
    },
  };
}

function same(a: Parameters<Compressor["compress"]>[0], b: typeof a): boolean {
  return a.length === b.length && a.every(({ text, title }, i) => text === b[i]!.text && title === b[i]!.title);
}
