/**
 * Numbers from 0 up to, but without, 1: mulberry32 by Tommy Ettinger, 32 bits of state, 2³² numbers before it repeats.
 * Small and the same everywhere, for drawing tokens; not for secrets.
 *
 * @param seed an integer; its lowest 32 bits count
 */
export function createRandom(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
