import type { Weights } from "@clara/core";
import { decode, decoderLogits, embedTokens, placeMemories } from "@clara/model";
import { tf } from "@clara/tensor";
import type { ClaraParams, ClaraShape, GenerationInputs, SelectionInputs } from "@clara/train";
import { type Batch, documentTokensOf, inputsOf, padIdOf } from "./batch.ts";
import type { Checks, Part } from "./check.ts";
import { largest, norm, relativeDifference } from "./compare.ts";
import { type Computed, compute, lossAndGradients, tensorsOf } from "./compute.ts";
import { claraTensors, paramsWith, referenceNames, trainable } from "./model.ts";
import type { LoadedCheckpoint, Session } from "./session.ts";
import { GRADIENT, LOGITS, LOSS, STATES } from "./tolerances.ts";

/** forward/<name>.json */
export interface ForwardFile extends Batch {
  readonly logits_at_labels_position: readonly (readonly [number, number])[];
  readonly logits_at_labels_target: readonly number[];
  readonly logits_argmax: readonly (readonly number[])[];
  readonly loss: { readonly ce: number; readonly mse: number; readonly mse_weight: number; readonly total: number };
  readonly grad_norms?: Readonly<Record<string, number>>;
  readonly topk_indices?: readonly (readonly number[])[];
  readonly temperature?: number;
  readonly weak_mask_effect?: number;
}

/** A recorded micro-batch, and the checkpoint that it was recorded with. */
export interface Forward {
  readonly name: string;
  readonly file: ForwardFile;
  readonly recorded: Weights;
  readonly checkpoint: LoadedCheckpoint;
  /** Tensors for the stages' losses, parameters by path, and both put together. Call it in what `compute` is given. */
  open(): Opened;
}

export interface Opened {
  readonly inputs: SelectionInputs;
  readonly tensors: Readonly<Record<string, tf.Tensor>>;
  readonly params: ClaraParams;
}

export function openForward(file: string, session: Session): Forward {
  const { folder } = session;
  const json = folder.json<ForwardFile>(`forward/${file}.json`);
  const recorded = folder.weights(`forward/${file}.safetensors`);
  const { stage, memory_tokens: memoryTokens } = json;
  const path = session.findCheckpoint({ stage, memoryTokens, documentTokens: documentTokensOf(json), name: file });
  const checkpoint = session.checkpoint(path);
  const inputs = inputsOf(json, padIdOf(json.dec) ?? session.tokenizer(memoryTokens).padId);
  return {
    name: `forward/${file}`,
    file: json,
    recorded,
    checkpoint,
    open: () => {
      const tensors = claraTensors(checkpoint);
      const own = tensorsOf(inputs as Weights) as unknown as SelectionInputs;
      return { inputs: own, tensors, params: paramsWith(tensors, {}, checkpoint.shape) };
    },
  };
}

/** What the generator makes of prompts with memories [B, k, M, D] in them. */
export function promptResults(
  params: ClaraParams,
  inputs: GenerationInputs,
  memories: tf.Tensor4D,
  shape: ClaraShape,
): Record<"inputs_embeds" | "logits" | "logits_at_labels" | "logits_logsumexp", tf.Tensor> {
  const { prompt, promptMask: mask, rows } = inputs;
  const embeds = placeMemories(embedTokens(params.base, prompt), prompt, memories, shape); // [B, T, D]
  const states = decode(params.base, { embeds, mask }, { ...shape.decoder, adapter: params.adapters.generator! });
  const logits = decoderLogits(params.base, tf.reshape(states, [-1, shape.decoder.width])); // [B·T, V]
  return {
    inputs_embeds: embeds,
    logits,
    logits_at_labels: tf.gather(logits, rows),
    logits_logsumexp: tf.mul(tf.reshape(tf.logSumExp(logits, 1), prompt.shape), mask),
  };
}

/** Checks of `promptResults`, as many as are recorded. */
export async function comparePrompts(
  { name, file, recorded, open }: Forward,
  found: Readonly<Record<keyof ReturnType<typeof promptResults>, Computed>>,
  checks: Checks,
): Promise<void> {
  const T = file.dec.shape[1];
  const { rows, targets } = await compute(() => {
    const { rows, targets } = open().inputs;
    return { rows: tf.clone(rows), targets: tf.clone(targets) };
  });
  const positions = Array.from(rows.data, (at) => [Math.floor(at / T), at % T]);
  checks.same(`${name}/logits_at_labels_position`, positions, file.logits_at_labels_position);
  checks.same(`${name}/logits_at_labels_target`, Array.from(targets.data), file.logits_at_labels_target);
  for (const [key, tolerance] of [
    ["inputs_embeds", STATES],
    ["logits_at_labels", LOGITS],
    ["logits_logsumexp", LOSS],
  ] as const) {
    if (recorded[key]) checks.close(`${name}/${key}`, found[key], recorded[key], tolerance);
    else checks.skip(`${name}/${key}`, "is not recorded");
  }
  const V = found.logits.shape[1]!;
  const row = (at: number): number[] => Array.from(found.logits.data.subarray(at * V, (at + 1) * V));
  const best = file.logits_argmax.map((_, b) =>
    file.dec.attention_mask[b]!.map((kept, t) => {
      if (kept !== 1) return -1; // padding has none
      const logits = row(b * T + t);
      const top = Math.max(...logits);
      const theirs = file.logits_argmax[b]![t]!;
      // Of two that rounding cannot tell apart, either may be the largest.
      return top - logits[theirs]! <= 2 * LOGITS ? theirs : logits.indexOf(top);
    }),
  );
  checks.same(`${name}/logits_argmax`, best, file.logits_argmax);
  const first = recorded.logits_row0;
  if (first) {
    const columns = file.dec.attention_mask[0]!.flatMap((kept, t) => (kept === 1 ? [t] : []));
    const data = columns.flatMap(row);
    checks.close(`${name}/logits_row0`, { data, shape: [columns.length, V] }, first, LOGITS);
  }
}

/** A loss of a stage. */
export interface StageLoss {
  /** `loss.<name>` is its value, and `grad_<name>/…` are its gradients. "" where a file has only one. */
  readonly name: string;
  readonly value: number;
  /** Why its gradients are not compared. @default they are, where they are recorded */
  readonly withoutGradients?: string | undefined;
  /** @param offset [B·N, M, D], where asked for: zeros, to be added to the memories, so that its gradient is theirs */
  of(params: ClaraParams, inputs: SelectionInputs, offset?: tf.Tensor): tf.Scalar;
}

/** Groups of gradients that are recorded, such as `grad_ce`. */
export function gradientGroups(recorded: Weights): string[] {
  return [...new Set(Object.keys(recorded).flatMap((key) => /^(grad\w*)\//.exec(key)?.[1] ?? []))];
}

/**
 * A loss, and its gradients with respect to all adapters, and to the memory tokens' rows where those are recorded. A tensor
 * that is not recorded has gradient 0, exactly.
 *
 * @returns the loss
 */
export async function compareLoss(
  forward: Pick<Forward, "name" | "file" | "recorded" | "checkpoint" | "open">,
  { name: lossName, value, withoutGradients, of }: StageLoss,
  checks: Checks,
): Promise<number> {
  const { name, file, recorded, checkpoint, open } = forward;
  const { shape } = checkpoint;
  const group = lossName === "" ? "grad" : `grad_${lossName}`;
  const asked = withoutGradients === undefined && gradientGroups(recorded).includes(group);
  const memoryRows = `${group}/memory_rows` in recorded;
  const toMemory = recorded[`${group}_wrt_memory`];
  const values = await compute((): Record<string, tf.Tensor> => {
    const { inputs, tensors, params } = open();
    if (!asked) return { loss: of(params, inputs, undefined) };
    const offset = toMemory && { offset: tf.zeros([...toMemory.shape]) };
    const trained = { ...trainable(tensors, shape, { memoryRows }), ...offset };
    const { loss, grads } = lossAndGradients(trained, ({ offset, ...moved }) =>
      of(paramsWith(tensors, moved, shape), inputs, offset),
    );
    return { ...grads, loss };
  });
  const { loss, offset, ...grads } = values;
  checks.close(`${name}/loss${lossName && "."}${lossName}`, loss!, { data: [value], shape: [] }, LOSS);
  if (!asked) {
    checks.skip(`${name}/${group}`, withoutGradients ?? "is not recorded");
    return loss!.data[0]!;
  }
  if (toMemory && offset) {
    const error = relativeDifference(offset, toMemory);
    checks.worst(`${name}/${group}_wrt_memory`, [{ what: "gradient", error }], GRADIENT);
  }
  const found = referenceNames(grads, shape.decoder);
  const own = Object.keys(recorded).filter((key) => key.startsWith(`${group}/`));
  const parts = new Set([...Object.keys(found), ...own.map((key) => key.slice(group.length + 1))]);
  for (const [adapter, names] of Map.groupBy(parts, (key) => key.split("/")[0]!)) {
    const errors = names.map((key): Part => {
      const [actual, expected] = [found[key], recorded[`${group}/${key}`]];
      if (!actual) return { what: `${key} is none of ours`, error: Number.NaN };
      if (expected) return { what: key, error: relativeDifference(actual, expected) };
      return { what: `${key}, which is not to be trained`, error: largest(actual) === 0 ? 0 : Number.NaN };
    });
    checks.worst(`${name}/${group}/${adapter}`, errors, GRADIENT);
  }
  const wanted = file.grad_norms?.[group];
  if (wanted !== undefined) {
    const error = Math.abs(norm(Object.values(found)) / wanted - 1);
    checks.worst(`${name}/grad_norms.${group}`, [{ what: "the norm", error }], GRADIENT);
  }
  return loss!.data[0]!;
}
