import type { Weights } from "@clara/core";

/** Sizes by the letters of read-memories.ts; `P` as large as an engine asks for. */
export const tiny = { V: 128, D: 4, d: 3, F: 2, inner: 6, P: 128, layers: 2, heads: 2 };

/** A model of a few numbers, from -1 to 1, with a reader of memories: embeddings and `memory.…`, as a file has them. */
export function tinyMemoryWeights(): Weights {
  const { V, D, d, F, inner, P, layers } = tiny;
  const shapes: Record<string, number[]> = {
    "embeddings.word_embeddings.weight": [V, D],
    "embeddings.position_embeddings.weight": [P, D],
    "embeddings.token_type_embeddings.weight": [2, D],
    "embeddings.LayerNorm.weight": [D],
    "embeddings.LayerNorm.bias": [D],
    "memory.up.weight": [d, D],
    "memory.up.bias": [D],
    "memory.positions": [P, D],
    "memory.overlap": [1, D],
    "memory.norm.gamma": [D],
    "memory.norm.beta": [D],
    "memory.window.weight": [D, 1],
    "memory.window.bias": [1],
    "memory.pointer.wanted.weight": [D, 2 * F + 2],
    "memory.pointer.wanted.bias": [2 * F + 2],
    "memory.pointer.words.weight": [5 * D, F],
    "memory.pointer.words.bias": [F],
    "memory.pointer.match": [5, F],
    "memory.pointer.none.weight": [D, 2],
    "memory.pointer.none.bias": [2],
  };
  for (let i = 0; i < layers; i++) {
    const dense: [string, number, number][] = [
      ...["self.query", "self.key", "self.value", "output.dense"].map((name): [string, number, number] => [
        `attention.${name}`,
        D,
        D,
      ]),
      ["intermediate.dense", inner, D],
      ["output.dense", D, inner],
    ];
    for (const [name, O, I] of dense) {
      shapes[`memory.layer.${i}.${name}.weight`] = [O, I];
      shapes[`memory.layer.${i}.${name}.bias`] = [O];
    }
    for (const name of ["attention.output.LayerNorm", "output.LayerNorm"]) {
      shapes[`memory.layer.${i}.${name}.weight`] = [D];
      shapes[`memory.layer.${i}.${name}.bias`] = [D];
    }
  }
  const next = numbers(1);
  return Object.fromEntries(
    Object.entries(shapes).map(([name, shape]) => {
      const length = shape.reduce((a, b) => a * b, 1);
      // Norms that leave something of their input: what goes in must show in what comes out.
      const least = /LayerNorm\.weight$|gamma$/.test(name) ? 1.5 : 0;
      return [name, { shape, data: Float32Array.from({ length }, () => least + next()) }];
    }),
  );
}

/** Numbers from -1 to 1, the same for a seed. */
export function numbers(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0;
    return state / 2 ** 31 - 1;
  };
}

type Rows = readonly (readonly number[])[];

/** One passage's memories as plain numbers: what `readMemories` and `pointerLogits` are given, without padding. */
export interface OneCase {
  /** [U, D] */
  readonly question: Rows;
  /** [M, d] */
  readonly memory: Rows;
  /** [M] */
  readonly overlap: readonly number[];
}

/** `readMemories` in plain loops and float64. @returns states [U + M, D], the question's first */
export function readInLoops(weights: Weights, { question, memory, overlap }: OneCase, eps = 1e-12): number[][] {
  const raised = memory.map((v, m) =>
    Array.from({ length: tiny.D }, (_, i) => {
      const up = v.reduce((sum, x, k) => sum + x * at(weights, "memory.up.weight", k, i), 0);
      const place = at(weights, "memory.positions", m, i) + overlap[m]! * at(weights, "memory.overlap", 0, i);
      return up + at(weights, "memory.up.bias", 0, i) + place;
    }),
  );
  let x = normed(
    [...question.map((row) => [...row]), ...raised],
    weights,
    "memory.norm.gamma",
    "memory.norm.beta",
    eps,
  );
  for (let l = 0; l < tiny.layers; l++) x = layerInLoops(x, weights, `memory.layer.${l}`, eps);
  return x;
}

/** @returns [1 + M] logits */
export function windowsInLoops(weights: Weights, one: OneCase): number[] {
  const states = readInLoops(weights, one);
  return [states[0]!, ...states.slice(one.question.length)].map((row) =>
    row.reduce(
      (sum, x, i) => sum + x * at(weights, "memory.window.weight", i, 0),
      at(weights, "memory.window.bias", 0, 0),
    ),
  );
}

/** @returns [1 + T][2] logits */
export function pointsInLoops(
  weights: Weights,
  one: OneCase,
  { near, match, window }: { near: Rows; match: Rows; window: readonly number[] },
): number[][] {
  const { D, F } = tiny;
  const states = readInLoops(weights, one);
  const map = (row: readonly number[], name: string): number[] => {
    const O = weights[`${name}.bias`]!.data.length;
    return Array.from({ length: O }, (_, o) =>
      row.reduce((sum, x, i) => sum + x * at(weights, `${name}.weight`, i, o), at(weights, `${name}.bias`, 0, o)),
    );
  };
  const tokens = near.map((ids, t) => {
    const wanted = map(states[one.question.length + window[t]!]!, "memory.pointer.wanted");
    const seen = ids.flatMap((id) =>
      Array.from({ length: D }, (_, i) => at(weights, "embeddings.word_embeddings.weight", id, i)),
    );
    const looks = map(seen, "memory.pointer.words").map((sum, f) =>
      gelu(match[t]!.reduce((all, hit, k) => all + hit * at(weights, "memory.pointer.match", k, f), sum)),
    );
    return [0, 1].map(
      (end) => looks.reduce((sum, x, f) => sum + x * wanted[end * F + f]!, 0) / Math.sqrt(F) + wanted[2 * F + end]!,
    );
  });
  return [map(states[0]!, "memory.pointer.none"), ...tokens];
}

function at(weights: Weights, name: string, row: number, column: number): number {
  const { shape, data } = weights[name]!;
  return data[row * shape.at(-1)! + column]!;
}

function normed(x: Rows, weights: Weights, gamma: string, beta: string, eps: number): number[][] {
  return x.map((row) => {
    const mean = row.reduce((a, b) => a + b) / row.length;
    const variance = row.reduce((a, b) => a + (b - mean) ** 2, 0) / row.length;
    return row.map(
      (y, i) => ((y - mean) / Math.sqrt(variance + eps)) * at(weights, gamma, 0, i) + at(weights, beta, 0, i),
    );
  });
}

function layerInLoops(x: Rows, weights: Weights, name: string, eps: number): number[][] {
  const K = tiny.D / tiny.heads;
  const dense = (rows: Rows, which: string): number[][] =>
    rows.map((row) =>
      // Stored [O, I].
      Array.from(weights[`${name}.${which}.bias`]!.data, (bias, o) =>
        row.reduce((sum, y, i) => sum + y * at(weights, `${name}.${which}.weight`, o, i), bias),
      ),
    );
  const plus = (a: Rows, b: Rows): number[][] => a.map((row, t) => row.map((y, i) => y + b[t]![i]!));
  const norm = (rows: Rows, which: string): number[][] =>
    normed(rows, weights, `${name}.${which}.weight`, `${name}.${which}.bias`, eps);
  const q = dense(x, "attention.self.query");
  const k = dense(x, "attention.self.key");
  const v = dense(x, "attention.self.value");
  const attended = q.map((row) =>
    row.map((_, i) => {
      const from = Math.floor(i / K) * K;
      const dot = (other: readonly number[]): number =>
        row.slice(from, from + K).reduce((sum, y, j) => sum + y * other[from + j]!, 0);
      const shares = k.map((other) => Math.exp(dot(other) / Math.sqrt(K)));
      const total = shares.reduce((a, b) => a + b);
      return shares.reduce((sum, share, t) => sum + (share / total) * v[t]![i]!, 0);
    }),
  );
  const y = norm(plus(x, dense(attended, "attention.output.dense")), "attention.output.LayerNorm");
  const inner = dense(y, "intermediate.dense").map((row) => row.map(gelu));
  return norm(plus(y, dense(inner, "output.dense")), "output.LayerNorm");
}

function gelu(z: number): number {
  // Maclaurin series of erf, exact to float64's rounding for |x| < 4.
  const x = z / Math.SQRT2;
  if (Math.abs(x) > 4) return Math.max(z, 0);
  let term = x;
  let sum = x;
  for (let n = 1; Math.abs(term) > 1e-17; n++) {
    term *= (-x * x) / n;
    sum += term / (2 * n + 1);
  }
  return 0.5 * z * (1 + (2 / Math.sqrt(Math.PI)) * sum);
}
