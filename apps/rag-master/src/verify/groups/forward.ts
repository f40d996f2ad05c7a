import { tf } from "@clara/tensor";
import { alignmentLoss, answerLoss, compressDocuments, generationLoss } from "@clara/train";
import { compareRows, recordsOf } from "../batch.ts";
import type { Checks } from "../check.ts";
import { compute } from "../compute.ts";
import {
  compareLoss,
  comparePrompts,
  type Forward,
  gradientGroups,
  openForward,
  promptResults,
  type StageLoss,
} from "../forward-common.ts";
import { compareSelection } from "../forward-selection.ts";
import type { Group } from "../group.ts";
import { STATES } from "../tolerances.ts";

/** One micro-batch of each stage: rows, every tensor on the way to the loss, and gradients of every adapter. */
export const forward: Group = {
  name: "forward",
  async run(session, checks) {
    const { folder } = session;
    const files = folder.names("forward", ".json").filter((name) => name !== "retrieval-loss");
    if (files.length === 0) checks.skip("forward", "needs files in forward/");
    for (const file of files) {
      await checks.attempt(`forward/${file}`, async () => {
        if (isOther(folder.json(`forward/${file}.json`)))
          return checks.skip(`forward/${file}`, "is of no form that is known");
        const forward = openForward(file, session);
        const batch = forward.file;
        await checks.attempt(`${forward.name}/rows`, () =>
          compareRows(checks, `${forward.name}/rows`, { batch, records: recordsOf(batch) }, session),
        );
        await (batch.query ? compareSelection(forward, checks) : compareGeneration(forward, checks));
      });
    }
  },
};

/** Nothing of a micro-batch is in it. One that lacks something is damaged, and fails. */
function isOther(json: unknown): boolean {
  const parts = ["stage", "enc", "dec", "labels", "loss"];
  return typeof json === "object" && json !== null && !parts.some((part) => part in json);
}

/** Stages in which all documents of a record are read. */
async function compareGeneration(forward: Forward, checks: Checks): Promise<void> {
  const { name, file, recorded, checkpoint, open } = forward;
  const { shape } = checkpoint;
  const rows = [-1, shape.memoryTokens, shape.decoder.width] as const;
  await checks.attempt(`${name}/values`, async () => {
    const found = await compute(() => {
      const { inputs, params } = open();
      const { memories } = compressDocuments(params, inputs, shape);
      return { ...promptResults(params, inputs, memories, shape), memory: tf.reshape(memories, [...rows]) };
    });
    if (recorded.memory) checks.close(`${name}/memory`, found.memory, recorded.memory, STATES);
    else checks.skip(`${name}/memory`, "is not recorded");
    await comparePrompts(forward, found, checks);
  });
  const { ce, mse, total, mse_weight: alignmentWeight } = file.loss;
  const losses: readonly StageLoss[] = [
    {
      name: "ce",
      value: ce,
      of(params, inputs, offset) {
        const { memories } = compressDocuments(params, inputs, shape);
        const moved = offset ? tf.add(memories, tf.reshape(offset, memories.shape)) : memories;
        return answerLoss(params, inputs, moved as tf.Tensor4D, shape);
      },
    },
    {
      name: "mse",
      value: mse,
      of(params, inputs) {
        const { memories, states, mask } = compressDocuments(params, inputs, shape);
        return alignmentLoss(tf.reshape(memories, [...rows]), states, mask);
      },
    },
    {
      name: "total",
      value: total,
      of: (params, inputs) => generationLoss(params, inputs, shape, { alignmentWeight }).loss,
    },
  ];
  for (const loss of losses)
    await checks.attempt(`${name}/loss.${loss.name}`, () => compareLoss(forward, loss, checks));
  const unknown = gradientGroups(recorded).filter((group) => !losses.some((loss) => group === `grad_${loss.name}`));
  for (const group of unknown) checks.skip(`${name}/${group}`, "are gradients of a loss that is not known");
}
