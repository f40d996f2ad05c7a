import { tf } from "@clara/tensor";
import { cosineScores, flattenMemories, selectMemories, selectTopK } from "@clara/topk";
import { alignmentLoss, answerLoss, compressDocuments, compressQuestions, endToEndLoss } from "@clara/train";
import type { Checks } from "./check.ts";
import { relativeDifference } from "./compare.ts";
import { compute, lossAndGradients } from "./compute.ts";
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

const trueMask = "the mask is a true one in Clara, and here it matters";

/** The stage in which k documents are selected: every tensor from questions and documents to the loss, and back. */
export async function compareSelection(forward: Forward, checks: Checks): Promise<void> {
  const { name, file, recorded, checkpoint, open } = forward;
  const { shape } = checkpoint;
  const k = file.generation_top_k;
  const temperature = file.temperature ?? 0.02;
  const weak = (file.weak_mask_effect ?? 0) >= WEAK_MASK_EFFECT;
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
    if (weak) checks.skip(`${name}/soft`, trueMask);
    else if (recorded.soft) {
      const error = await softDifference(found.scores, recorded.soft, temperature);
      checks.worst(`${name}/soft`, [{ what: "softmax rows", error }], SOFT);
    }
    await comparePrompts(forward, found, checks);
    checks.close(`${name}/loss.mse`, found.mse, { data: [file.loss.mse], shape: [] }, LOSS);
  });
  const { ce, mse, total, mse_weight } = file.loss;
  await checks.attempt(`${name}/loss.ce`, async () => {
    const loss: StageLoss = {
      name: "ce",
      value: ce,
      withoutGradients: weak ? trueMask : undefined,
      of: (params, inputs) => endToEndLoss(params, inputs, shape, { selected: k, temperature }).loss,
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
        return answerLoss(params, inputs, selected as tf.Tensor4D, shape);
      }).grads;
    });
    for (const key of keys) {
      const error = relativeDifference(found[key]!, wanted(key));
      checks.worst(`${name}/grad_ce_wrt_${key}`, [{ what: "gradient", error }], GRADIENT);
    }
  });
}
