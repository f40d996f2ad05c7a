import type { Memory } from "@clara/core";
import type { Layout, Segment } from "./segments.ts";

/** Adds up a passage's states as they come, in any order of its segments. */
export interface Pooling {
  /** @param states rows of the segment's tokens first, [≥ T, D]. */
  add(segment: Segment, states: Float32Array): void;
  /** Segments that have not been added yet. */
  missing(): number;
  /** To be called once, when none is missing. */
  memory(): Memory;
}

/**
 * Means of `rate` consecutive states each; the last window may be shorter. Windows run on over the segments of a long
 * passage, so that a coarser rate can be derived from a finer one exactly.
 */
export function createPooling(layout: Layout, rate: number, width: number): Pooling {
  const { length, offsets, segments } = layout;
  const count = Math.ceil(length / rate);
  // Made when the first states come: most passages of a call are waiting or done.
  let sums: Float64Array | undefined;
  let missing = segments.length;
  return {
    add({ ids, offset }, states) {
      missing--;
      sums ??= new Float64Array(count * width);
      for (let t = 0; t < ids.length; t++) {
        const to = Math.floor((offset + t) / rate) * width;
        const from = t * width;
        for (let d = 0; d < width; d++) sums[to + d]! += states[from + d]!;
      }
    },
    missing: () => missing,
    memory() {
      const tokens = Uint16Array.from({ length: count }, (_, m) => Math.min(rate, length - m * rate));
      const spans = new Uint32Array(2 * count);
      for (let m = 0; m < count; m++) {
        spans.set(cover(offsets.subarray(2 * m * rate, 2 * (m * rate + tokens[m]!))), 2 * m);
      }
      const vectors = Float32Array.from(sums!, (sum, i) => sum / tokens[Math.floor(i / width)]!);
      sums = undefined;
      return { rate, count, width, vectors, tokens, spans };
    },
  };
}

/** @param offsets pairs of start and end. @returns from the first start to the last end, empty pairs aside; or 0, 0. */
export function cover(offsets: Uint32Array): [start: number, end: number] {
  let start = 0;
  let end = 0;
  for (let i = 0; i < offsets.length; i += 2) {
    if (offsets[i] === offsets[i + 1]) continue;
    start = end === 0 ? offsets[i]! : Math.min(start, offsets[i]!);
    end = Math.max(end, offsets[i + 1]!);
  }
  return [start, end];
}
