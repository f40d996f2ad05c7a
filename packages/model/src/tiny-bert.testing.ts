import type { Weights } from "@clara/core";
import type { TokenBatch } from "./encoder.ts";

export const tiny = { V: 20, D: 8, F: 12, positions: 9, layers: 2, heads: 2 };

/** A checkpoint with Hugging Face's names and seeded numbers from -1 to 1. */
export function randomWeights(): Weights {
  const { V, D, F, positions, layers } = tiny;
  const shapes: Record<string, number[]> = {
    "embeddings.word_embeddings.weight": [V, D],
    "embeddings.position_embeddings.weight": [positions, D],
    "embeddings.token_type_embeddings.weight": [2, D],
    "embeddings.LayerNorm.weight": [D],
    "embeddings.LayerNorm.bias": [D],
  };
  for (let i = 0; i < layers; i++) {
    const dense: [string, number, number][] = [
      ["attention.self.query", D, D],
      ["attention.self.key", D, D],
      ["attention.self.value", D, D],
      ["attention.output.dense", D, D],
      ["intermediate.dense", F, D],
      ["output.dense", D, F],
    ];
    for (const [name, O, I] of dense) {
      shapes[`encoder.layer.${i}.${name}.weight`] = [O, I];
      shapes[`encoder.layer.${i}.${name}.bias`] = [O];
    }
    for (const name of ["attention.output.LayerNorm", "output.LayerNorm"]) {
      shapes[`encoder.layer.${i}.${name}.weight`] = [D];
      shapes[`encoder.layer.${i}.${name}.bias`] = [D];
    }
  }
  let seed = 1;
  const random = (): number => {
    seed = (Math.imul(seed, 1103515245) + 12345) >>> 0;
    return seed / 2 ** 31 - 1;
  };
  return Object.fromEntries(
    Object.entries(shapes).map(([name, shape]) => {
      const length = shape.reduce((a, b) => a * b);
      return [name, { shape, data: Float32Array.from({ length }, random) }];
    }),
  );
}

/** Sequences as a padded batch. */
export function batchOf(sequences: readonly (readonly number[])[]): TokenBatch {
  const T = Math.max(...sequences.map((ids) => ids.length));
  const pad = (ids: readonly number[]): number[] => Array.from({ length: T }, (_, t) => ids[t] ?? 0);
  return {
    ids: Int32Array.from(sequences.flatMap(pad)),
    types: new Int32Array(sequences.length * T),
    mask: Int32Array.from(sequences.flatMap((ids) => pad(ids.map(() => 1)))),
    shape: [sequences.length, T],
  };
}

/** BERT in plain loops and float64, one sequence. @returns [T, D] */
export function bertInLoops(
  weights: Weights,
  ids: readonly number[],
  types: readonly number[],
  { layers, heads }: { layers: number; heads: number },
): number[] {
  type Rows = number[][];
  const get = (name: string): Float32Array => weights[name]!.data;
  const D = weights["embeddings.word_embeddings.weight"]!.shape[1]!;
  const K = D / heads;
  const row = (name: string, i: number): number[] => [...get(`embeddings.${name}.weight`).subarray(i * D, i * D + D)];
  const linear = (x: Rows, name: string): Rows => {
    const weight = get(`${name}.weight`);
    return x.map((v) =>
      Array.from(get(`${name}.bias`), (b, o) => v.reduce((sum, xi, i) => sum + xi * weight[o * v.length + i]!, b)),
    );
  };
  const norm = (x: Rows, name: string): Rows =>
    x.map((v) => {
      const mean = v.reduce((a, b) => a + b) / D;
      const variance = v.reduce((a, b) => a + (b - mean) ** 2, 0) / D;
      return v.map(
        (y, i) => ((y - mean) / Math.sqrt(variance + 1e-12)) * get(`${name}.weight`)[i]! + get(`${name}.bias`)[i]!,
      );
    });
  const add = (x: Rows, y: Rows): Rows => x.map((v, t) => v.map((z, i) => z + y[t]![i]!));
  let x = norm(
    ids.map((id, t) => {
      const parts = [
        row("word_embeddings", id),
        row("position_embeddings", t),
        row("token_type_embeddings", types[t]!),
      ];
      return parts.reduce((a, b) => a.map((z, i) => z + b[i]!));
    }),
    "embeddings.LayerNorm",
  );
  for (let l = 0; l < layers; l++) {
    const name = `encoder.layer.${l}`;
    const part = (which: string): Rows => linear(x, `${name}.attention.self.${which}`);
    const [q, k, v] = [part("query"), part("key"), part("value")];
    const attended = q.map((qt) =>
      qt.map((_, d) => {
        const from = Math.floor(d / K) * K;
        const scores = k.map((ks) => {
          let sum = 0;
          for (let j = from; j < from + K; j++) sum += qt[j]! * ks[j]!;
          return Math.exp(sum / Math.sqrt(K));
        });
        const total = scores.reduce((a, b) => a + b);
        return scores.reduce((sum, p, s) => sum + (p / total) * v[s]![d]!, 0);
      }),
    );
    x = norm(add(x, linear(attended, `${name}.attention.output.dense`)), `${name}.attention.output.LayerNorm`);
    const inner = linear(x, `${name}.intermediate.dense`).map((u) => u.map((z) => 0.5 * z * (1 + erf(z / Math.SQRT2))));
    x = norm(add(x, linear(inner, `${name}.output.dense`)), `${name}.output.LayerNorm`);
  }
  return x.flat();
}

/** Maclaurin series, exact to float64's rounding for |x| < 4. */
function erf(x: number): number {
  if (Math.abs(x) > 4) return Math.sign(x);
  let term = x;
  let sum = x;
  for (let n = 1; Math.abs(term) > 1e-17; n++) {
    term *= (-x * x) / n;
    sum += term / (2 * n + 1);
  }
  return (2 / Math.sqrt(Math.PI)) * sum;
}
