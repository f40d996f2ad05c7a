import type { IndexedPassage, Scalar } from "@clara/core";
import { createRandom } from "./conformance/setup.ts";

/** A passage for tests. */
export function passage(
  id: string,
  text: string,
  extra: { title?: string; vector?: number[] | Float32Array; metadata?: Record<string, Scalar> } = {},
): IndexedPassage {
  const { title = "", vector, metadata = {} } = extra;
  const base = { id, document: id.split("#")[0]!, title, text, start: 0, end: text.length, metadata };
  return vector ? { ...base, vector: Float32Array.from(vector) } : base;
}

/** `count` vectors around a few centres, the same ones for the same seed. */
export function clusteredVectors(count: number, dimension: number, seed: number): Float32Array[] {
  const random = createRandom(seed);
  const normal = () => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
  const centres = Array.from({ length: 40 }, () => Float32Array.from({ length: dimension }, normal));
  return Array.from({ length: count }, (_, i) => centres[i % 40]!.map((x) => x + 0.7 * normal()));
}
