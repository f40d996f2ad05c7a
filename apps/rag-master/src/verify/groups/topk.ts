import { ClaraError } from "@clara/core";
import { tf } from "@clara/tensor";
import { selectMemories, selectTopK } from "@clara/topk";
import type { Checks } from "../check.ts";
import { difference, largest, type Numbers, relativeDifference } from "../compare.ts";
import { type Computed, compute, tensorOf } from "../compute.ts";
import type { Group } from "../group.ts";
import { softDifference } from "../selection.ts";
import { EXACT, SELECTION, SMOOTH_TEMPERATURE } from "../tolerances.ts";
import { gradientOfWeights, maskShift, softRows, strictRows } from "../weak-mask.ts";

interface Case {
  readonly case: number;
  readonly name: string;
  readonly k: number;
  readonly tau: number;
  readonly indices: readonly (readonly number[])[];
  readonly ties: boolean;
}

/** A call outside of what is defined. */
interface OddCall {
  readonly name: string;
  readonly case?: undefined;
}

/** The differentiable top-k on given scores. */
export const topk: Group = {
  name: "topk",
  async run({ folder }, checks) {
    const { cases } = folder.json<{ cases: readonly (Case | OddCall)[] }>("topk.json");
    const recorded = folder.weights("topk.safetensors");
    for (const [i, entry] of cases.entries()) {
      const name = `topk/${entry.case ?? i} ${entry.name}`;
      await checks.attempt(name, async () => {
        if (entry.case === undefined) return oddCall(name, entry, checks);
        const read = (key: string): Computed => {
          const found = recorded[`${entry.case}/${key}`];
          if (!found) throw new ClaraError("weights", `topk.safetensors has no "${entry.case}/${key}"`);
          return found;
        };
        await compareCase(name, entry, read, checks);
      });
    }
  },
};

async function compareCase(name: string, entry: Case, read: (key: string) => Computed, checks: Checks): Promise<void> {
  const { k, ties, indices } = entry;
  const temperature = Math.max(entry.tau, 1e-6); // as the reference does
  const select = (scores: tf.Tensor) => selectTopK(scores as tf.Tensor2D, k, { temperature });
  const scores = read("scores");
  const picked = await compute(() => ({ ...select(tensorOf(scores)) }));
  const rows = rowsOf(picked.indices);
  if (ties) return compareTies(name, { rows, indices, scores }, checks);
  checks.same(`${name}/indices`, rows, indices);
  checks.close(`${name}/hard`, picked.weights, read("hard"), EXACT);
  if (temperature < SMOOTH_TEMPERATURE)
    return checks.skip(`${name}/soft and gradients`, "the temperature makes it a step");
  if (!scores.data.every(Number.isFinite))
    return checks.skip(`${name}/soft and gradients`, "scores that are no numbers are not to be compared by gradients");
  // As a true mask would have made them; what both masks make is known in float64.
  const masks = softRows(scores, rows, temperature);
  const soft: Computed = { data: strictRows(read("soft"), masks), shape: read("soft").shape };
  const softError = (await softDifference(scores, soft, temperature)) / largest(soft);
  checks.worst(`${name}/soft`, [{ what: "softmax rows", error: softError }], SELECTION);
  const [B, N, F] = read("documents").shape as [number, number, number];
  const found = await compute(() => {
    const documents = tensorOf(read("documents"));
    const upstream = tensorOf(read("selected_upstream"));
    const at = tensorOf(scores);
    const selected = (s: tf.Tensor, d: tf.Tensor): tf.Tensor =>
      tf.reshape(selectMemories(select(s).weights, tf.reshape(d, [B, N, 1, F])), [B, k, F]);
    const weighted = (s: tf.Tensor): tf.Tensor => tf.sum(tf.mul(select(s).weights, tensorOf(read("upstream"))));
    const [toScores, toDocuments] = tf.grads((s: tf.Tensor, d: tf.Tensor) => tf.sum(tf.mul(selected(s, d), upstream)))([
      at,
      documents,
    ]);
    return {
      selected: selected(at, documents),
      grad_scores: tf.grad(weighted)(at),
      selected_grad_scores: toScores!,
      selected_grad_documents: toDocuments!,
    };
  });
  const selectedError = relativeDifference(found.selected, read("selected"));
  checks.worst(`${name}/selected`, [{ what: "selected", error: selectedError }], SELECTION);
  const ofWeights = gradientOfWeights(read("selected_upstream"), read("documents"), { B, k, N });
  const strict = (key: string, weights: Numbers): Numbers => {
    const shift = maskShift(masks, weights, { k, N, temperature });
    return { data: read(key).data.map((value, i) => value - shift[i]!), shape: read(key).shape };
  };
  // Of the recorded numbers' size: where a true mask leaves no choice, its gradients are 0.
  const part = (key: keyof typeof found, expected: Numbers) => ({
    what: key,
    error: difference(found[key], expected).error / (largest(read(key)) || 1),
  });
  const parts = [
    part("grad_scores", strict("grad_scores", read("upstream"))),
    part("selected_grad_scores", strict("selected_grad_scores", ofWeights)),
    part("selected_grad_documents", read("selected_grad_documents")),
  ];
  checks.worst(`${name}/gradients`, parts, SELECTION);
}

/** The order of equal scores is open: ours is that of the index. */
function compareTies(
  name: string,
  { rows, indices, scores }: { rows: number[][]; indices: Case["indices"]; scores: Computed },
  checks: Checks,
): void {
  const N = scores.shape[1]!;
  const scoreAt = (b: number) => (i: number) => scores.data[b * N + i]!;
  checks.same(
    `${name}/scores of the selected`,
    rows.map((row, b) => row.map(scoreAt(b))),
    indices.map((row, b) => row.map(scoreAt(b))),
  );
  const sorted = rows.map((row, b) => row.toSorted((x, y) => scoreAt(b)(y) - scoreAt(b)(x) || x - y));
  checks.same(`${name}/order of ties`, rows, sorted);
}

/** More documents than there are, or none: ours refuses both. */
function oddCall(name: string, entry: OddCall, checks: Checks): Promise<void> | void {
  const [, k, N] = /k=(\d+), N=(\d+)/.exec(entry.name) ?? [];
  if (N === undefined) return checks.skip(name, "does not say k and N");
  return checks.refuses(name, () => tf.tidy(() => void selectTopK(tf.zeros([1, Number(N)]), Number(k))));
}

function rowsOf({ data, shape }: Computed): number[][] {
  const [B, k] = shape as [number, number];
  return Array.from({ length: B }, (_, b) => Array.from(data.slice(b * k, (b + 1) * k)));
}
