import { stopGradient, tf } from "@clara/tensor";
import { cosineScores, flattenMemories, selectMemories, selectTopK } from "@clara/topk";
import {
  alignmentLoss,
  answerLoss,
  compressDocuments,
  compressQuestions,
  endToEndLoss,
  scoreDocuments,
} from "@clara/train";
import type { Checks } from "./check.ts";
import { largest, type Numbers, relativeDifference } from "./compare.ts";
import { type Computed, compute, lossAndGradients } from "./compute.ts";
import {
  compareLoss,
  comparePrompts,
  type Forward,
  gradientGroups,
  promptResults,
  type StageLoss,
} from "./forward-common.ts";
import { softDifference } from "./selection.ts";
import { GRADIENT, LOSS, SCORES, SOFT, STATES, WEAK_MASK_EFFECT, WEIGHTS } from "./tolerances.ts";
import { gradientOfWeights, maskShift, softRows, strictRows } from "./weak-mask.ts";

const trueMask = "the mask is a true one in Clara, and here it matters";

/** The reference's rows and those of a true mask; undefined when it is not recorded what was selected. */
function masksOf({ file, recorded }: Forward, temperature: number): ReturnType<typeof softRows> | undefined {
  return recorded.scores && file.topk_indices && softRows(recorded.scores, file.topk_indices, temperature);
}

/**
 * What the reference's mask adds to the gradient of the scores, [B, N]; undefined when it adds nothing that shows, or cannot be
 * computed from what is recorded.
 */
function shiftOf({ file, recorded }: Forward, temperature: number): Computed | undefined {
  const { memory, scores, grad_ce_wrt_selected: gradient } = recorded;
  const masks = masksOf({ file, recorded } as Forward, temperature);
  if (!memory || !scores || !gradient || !masks) return undefined;
  const [[B = 0, N = 0], k] = [scores.shape, file.generation_top_k];
  const ofWeights: Numbers = gradientOfWeights(gradient, memory, { B, k, N });
  const data = maskShift(masks, ofWeights, { k, N, temperature });
  const size = recorded.grad_ce_wrt_scores ? largest(recorded.grad_ce_wrt_scores) : 0;
  return largest({ data }) > 1e-6 * size ? { data, shape: scores.shape } : undefined;
}

/** The stage in which k documents are selected: every tensor from questions and documents to the loss, and back. */
export async function compareSelection(forward: Forward, checks: Checks): Promise<void> {
  const { name, file, recorded, checkpoint, open } = forward;
  const { shape } = checkpoint;
  const k = file.generation_top_k;
  const temperature = file.temperature ?? 0.02;
  const shift = shiftOf(forward, temperature);
  const weak = !shift && (file.weak_mask_effect ?? 0) >= WEAK_MASK_EFFECT;
  // 0, whose gradient is what the reference's mask adds: so gradients of everything before the scores are comparable too.
  const asMasked = (scores: () => tf.Tensor): tf.Scalar => {
    if (!shift) return tf.scalar(0);
    const sum: tf.Scalar = tf.sum(tf.mul(scores(), tf.tensor(shift.data, [...shift.shape])));
    return tf.sub(sum, stopGradient(sum));
  };
  const select = (scores: tf.Tensor) => selectTopK(scores as tf.Tensor2D, k, { temperature });
  const scoresOf = (query: tf.Tensor, memories: tf.Tensor4D): tf.Tensor2D =>
    cosineScores(query as tf.Tensor2D, flattenMemories(memories));
  const flat = (memories: tf.Tensor4D): tf.Tensor => tf.reshape(memories, [-1, ...memories.shape.slice(2)]);
  const start = () => {
    const opened = open();
    const { memories, states, mask } = compressDocuments(opened.params, opened.inputs, shape);
    const query = flattenMemories(compressQuestions(opened.params, opened.inputs, shape)); // [B, M·D]
    return { ...opened, memories, states, mask, query };
  };

  await checks.attempt(`${name}/values`, async () => {
    const found = await compute(() => {
      const { inputs, params, memories, states, mask, query } = start();
      const scores = scoresOf(query, memories);
      const { weights, indices } = select(scores);
      const selected = selectMemories(weights, memories);
      return {
        ...promptResults(params, inputs, selected, shape),
        memory: flat(memories),
        query,
        scores,
        weights,
        indices,
        selected: flat(selected),
        mse: alignmentLoss(flat(memories) as tf.Tensor3D, states, mask),
      };
    });
    for (const [key, tolerance] of [
      ["memory", STATES],
      ["query", STATES],
      ["scores", SCORES],
      ["weights", WEIGHTS],
      ["selected", STATES],
    ] as const) {
      const expected = recorded[key];
      if (expected) checks.close(`${name}/${key}`, found[key], expected, tolerance);
      else checks.skip(`${name}/${key}`, "is not recorded");
    }
    if (file.topk_indices) {
      const { data } = found.indices;
      const rows = file.topk_indices.map((_, b) => Array.from(data.slice(b * k, (b + 1) * k)));
      checks.same(`${name}/topk_indices`, rows, file.topk_indices);
    }
    const masks = masksOf(forward, temperature);
    if (recorded.soft && masks) {
      const strict = { data: strictRows(recorded.soft, masks), shape: recorded.soft.shape };
      const error = await softDifference(found.scores, strict, temperature);
      checks.worst(`${name}/soft`, [{ what: "softmax rows", error }], SOFT);
    } else checks.skip(`${name}/soft`, "is not recorded, or not what was selected");
    await comparePrompts(forward, found, checks);
    checks.close(`${name}/loss.mse`, found.mse, { data: [file.loss.mse], shape: [] }, LOSS);
  });
  const { ce, mse, total, mse_weight } = file.loss;
  await checks.attempt(`${name}/loss.ce`, async () => {
    const loss: StageLoss = {
      name: "ce",
      value: ce,
      withoutGradients: weak ? trueMask : undefined,
      of(params, inputs) {
        const { loss } = endToEndLoss(params, inputs, shape, { selected: k, temperature });
        return tf.add(
          loss,
          asMasked(() => scoreDocuments(params, inputs, shape).scores),
        );
      },
    };
    const ours = await compareLoss(forward, loss, checks);
    checks.close(`${name}/loss.total`, { data: [ours + mse_weight * mse] }, { data: [total] }, LOSS);
  });
  for (const group of gradientGroups(recorded).filter((name) => name !== "grad_ce")) {
    checks.skip(`${name}/${group}`, "are gradients of a loss that is not known");
  }
  if (weak) return checks.skip(`${name}/grad_ce_wrt`, trueMask);
  await checks.attempt(`${name}/grad_ce_wrt`, async () => {
    const keys = (["selected", "scores", "query"] as const).filter((key) => `grad_ce_wrt_${key}` in recorded);
    if (keys.length === 0) return checks.skip(`${name}/grad_ce_wrt`, "is not recorded");
    const wanted = (key: string) => recorded[`grad_ce_wrt_${key}`]!;
    const found = await compute(() => {
      const { inputs, params, memories, query } = start();
      // Zeros that are added to the tensors on the way: their gradients are those of the tensors.
      const zeros = Object.fromEntries(keys.map((key) => [key, tf.zeros([...wanted(key).shape])]));
      const add = (x: tf.Tensor, offset: tf.Tensor | undefined): tf.Tensor =>
        offset ? tf.add(x, tf.reshape(offset, x.shape)) : x;
      return lossAndGradients(zeros, (offsets) => {
        const scores = add(scoresOf(add(query, offsets.query), memories), offsets.scores);
        const selected = add(selectMemories(select(scores).weights, memories), offsets.selected);
        return tf.add(
          answerLoss(params, inputs, selected as tf.Tensor4D, shape),
          asMasked(() => scores),
        );
      }).grads;
    });
    for (const key of keys) {
      const error = relativeDifference(found[key]!, wanted(key));
      checks.worst(`${name}/grad_ce_wrt_${key}`, [{ what: "gradient", error }], GRADIENT);
    }
  });
}
