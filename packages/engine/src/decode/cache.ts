import type { HostTensors } from "../protocol.ts";

/** What a decoder keeps of each token, and of how many. */
export interface CacheShape {
  readonly layers: number;
  /** G */
  readonly keyHeads: number;
  /** K */
  readonly headWidth: number;
  /** Slots of a sequence to begin with; they are doubled when they are full. */
  readonly leastSlots: number;
  /** Most slots of a sequence; Infinity for no limit. */
  readonly mostSlots: number;
}

/** Keys and values of several sequences: `keys.<layer>` and `values.<layer>`, [rows, G, slots, K]. */
export interface Cache {
  /** Slots of each sequence. */
  readonly slots: number;
  /** The arrays themselves, for `count` sequences from `first` on. */
  view(first: number, count: number): HostTensors;
  /** Makes room for sequences of `length` tokens, and keeps what is there. */
  reserve(length: number): void;
  /**
   * Writes new tokens of sequences from `first` on behind those they have.
   *
   * @param lengths tokens that each has
   * @param tokens how many are new in each, T
   * @param made by name [lengths.length, T, G·K]
   */
  append(first: number, lengths: ArrayLike<number>, tokens: number, made: HostTensors): void;
  /** Copies the first `length` tokens of a sequence over another. */
  copy(from: number, to: number, length: number): void;
}

/** A cache for `rows` sequences, of which the longest has `length` tokens soon. */
export function createCache(shape: CacheShape, rows: number, length: number): Cache {
  const { keyHeads, headWidth } = shape;
  const names = cacheNames(shape);
  let slots = slotsFor(shape, length);
  const make = (): Float32Array[] => names.map(() => new Float32Array(rows * keyHeads * slots * headWidth));
  let arrays = make();

  return {
    get slots() {
      return slots;
    },
    view(first, count) {
      const size = keyHeads * slots * headWidth;
      const view = (array: Float32Array) => array.subarray(first * size, (first + count) * size);
      return Object.fromEntries(
        names.map((name, i) => [name, { data: view(arrays[i]!), shape: [count, keyHeads, slots, headWidth] }]),
      );
    },
    reserve(length) {
      if (length <= slots) return;
      const old = { arrays, size: slots * headWidth };
      slots = slotsFor(shape, length);
      arrays = make();
      arrays.forEach((array, i) => {
        for (let head = 0; head < rows * keyHeads; head++) {
          array.set(old.arrays[i]!.subarray(head * old.size, (head + 1) * old.size), head * slots * headWidth);
        }
      });
    },
    append(first, lengths, tokens, made) {
      names.forEach((name, i) => {
        const from = made[name]!.data;
        const to = arrays[i]!;
        let at = 0;
        for (let row = 0; row < lengths.length; row++) {
          for (let token = 0; token < tokens; token++) {
            for (let head = 0; head < keyHeads; head++) {
              const slot = ((first + row) * keyHeads + head) * slots + lengths[row]! + token;
              // Too short for `set`, whose call takes longer than the copy.
              for (let k = slot * headWidth; k < (slot + 1) * headWidth; k++) to[k] = from[at++]!;
            }
          }
        }
      });
    },
    copy(from, to, length) {
      const size = slots * headWidth;
      for (const array of arrays) {
        for (let head = 0; head < keyHeads; head++) {
          const start = (from * keyHeads + head) * size;
          array.copyWithin((to * keyHeads + head) * size, start, start + length * headWidth);
        }
      }
    },
  };
}

export function cacheNames({ layers }: Pick<CacheShape, "layers">): string[] {
  return Array.from({ length: layers }, (_, layer) => [`keys.${layer}`, `values.${layer}`]).flat();
}

/** The least number of slots, doubled until `length` fit, at most the most. */
export function slotsFor({ leastSlots, mostSlots }: CacheShape, length: number): number {
  let slots = leastSlots;
  while (slots < length) slots *= 2;
  return Math.min(slots, mostSlots);
}
