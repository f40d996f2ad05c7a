import type { Numbers } from "./compare.ts";

/** What the reference adds to a document's probability of being free, before it takes the logarithm. */
const leak = 1e-8;

/**
 * The softmax rows of a selection in float64, [B, k, N]: with the reference's mask, log(1e-8) for documents that earlier slots
 * have taken, and with a true one, which lets none of them back in.
 *
 * @param scores [B, N]
 * @param indices B rows of k, best first
 */
export function softRows(
  scores: Numbers,
  indices: readonly (readonly number[])[],
  temperature: number,
): { weak: Float64Array; strict: Float64Array } {
  const [B, k] = [indices.length, indices[0]?.length ?? 0];
  const N = scores.data.length / B;
  const rows = (closed: number): Float64Array => {
    const out = new Float64Array(B * k * N);
    for (const [b, order] of indices.entries()) {
      for (let j = 0; j < k; j++) {
        const taken = new Set(order.slice(0, j));
        const logits = Array.from({ length: N }, (_, i) => {
          return scores.data[b * N + i]! / temperature + (taken.has(i) ? closed : Math.log(1 + leak));
        });
        const top = Math.max(...logits);
        const powers = logits.map((logit) => Math.exp(logit - top));
        const sum = powers.reduce((a, x) => a + x, 0);
        for (const [i, power] of powers.entries()) out[(b * k + j) * N + i] = power / sum;
      }
    }
    return out;
  };
  return { weak: rows(Math.log(leak)), strict: rows(Number.NEGATIVE_INFINITY) };
}

/** Recorded rows as a true mask would have made them: the recorded numbers with what the mask changes in float64. */
export function strictRows(recorded: Numbers, rows: ReturnType<typeof softRows>): Float32Array {
  return Float32Array.from(rows.strict, (value, i) => recorded.data[i]! + (value - rows.weak[i]!));
}

/**
 * By how much the gradient of scores, [B, N], is another with the reference's mask than with a true one: row j passes on
 * p·(g - Σ p·g) / temperature of the gradient g [N] of its weights.
 *
 * @param weightGradients [B, k, N]
 */
export function maskShift(
  rows: ReturnType<typeof softRows>,
  weightGradients: Numbers,
  { k, N, temperature }: { readonly k: number; readonly N: number; readonly temperature: number },
): Float32Array {
  const through = (soft: Float64Array): Float64Array => {
    const out = new Float64Array((soft.length / k) | 0);
    for (let row = 0; row < soft.length / N; row++) {
      const at = (i: number): number => row * N + i;
      let inner = 0;
      for (let i = 0; i < N; i++) inner += soft[at(i)]! * weightGradients.data[at(i)]!;
      const b = Math.floor(row / k);
      for (let i = 0; i < N; i++)
        out[b * N + i]! += (soft[at(i)]! * (weightGradients.data[at(i)]! - inner)) / temperature;
    }
    return out;
  };
  const [weak, strict] = [through(rows.weak), through(rows.strict)];
  return Float32Array.from(weak, (value, i) => value - strict[i]!);
}

/**
 * The gradient of a selection's weights, [B, k, N], where that of the selected documents is known: products of each with every
 * document.
 *
 * @param selected gradients [B·k, F]
 * @param documents [B·N, F]
 */
export function gradientOfWeights(
  selected: Numbers,
  documents: Numbers,
  { B, k, N }: { readonly B: number; readonly k: number; readonly N: number },
): Numbers {
  const F = documents.data.length / (B * N);
  const data = new Float64Array(B * k * N);
  for (let row = 0; row < B * k; row++) {
    for (let i = 0; i < N; i++) {
      const from = (Math.floor(row / k) * N + i) * F;
      let sum = 0;
      for (let f = 0; f < F; f++) sum += selected.data[row * F + f]! * documents.data[from + f]!;
      data[row * N + i] = sum;
    }
  }
  return { data };
}
