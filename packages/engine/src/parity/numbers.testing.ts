import type { HostTensor, HostTensors } from "../protocol.ts";

/** A number from 0 to 1 for each name and index: `fixtures/parity/make.py` computes the same. */
export function hash(index: number, seed: number): number {
  let x = Math.imul(index + 1, 0x9e3779b1) ^ seed;
  x = Math.imul(x ^ (x >>> 15), 0x2c1b3c6d);
  x = Math.imul(x ^ (x >>> 12), 0x297a2d39);
  return ((x ^ (x >>> 15)) >>> 0) / 2 ** 32;
}

/** FNV-1a of a name in ASCII. */
export function seedOf(name: string): number {
  let seed = 0x811c9dc5;
  for (let i = 0; i < name.length; i++) seed = Math.imul(seed ^ name.charCodeAt(i), 0x01000193);
  return seed >>> 0;
}

/** Numbers between `centre - spread` and `centre + spread`. */
export function floats(name: string, shape: readonly number[], spread: number, centre = 0): HostTensor {
  const seed = seedOf(name);
  const length = shape.reduce((a, b) => a * b, 1);
  return { shape, data: Float32Array.from({ length }, (_, i) => centre + spread * (2 * hash(i, seed) - 1)) };
}

/** Whole numbers from 0 to `below - 1`. */
export function ints(name: string, shape: readonly number[], below: number): HostTensor {
  const seed = seedOf(name);
  const length = shape.reduce((a, b) => a * b, 1);
  return { shape, data: Int32Array.from({ length }, (_, i) => Math.floor(below * hash(i, seed))) };
}

/** A record of tensors from a record of [shape, spread, centre]. */
export function floatsOf(table: Readonly<Record<string, readonly [readonly number[], number, number?]>>): HostTensors {
  return Object.fromEntries(
    Object.entries(table).map(([name, [shape, spread, centre]]) => [name, floats(name, shape, spread, centre)]),
  );
}
