import type { Weights } from "@clara/core";
import { adapterWeights, type DecoderConfig } from "@clara/model";
import { tf } from "@clara/tensor";
import { adapterNames, type ClaraParams, type ClaraShape, nestClara, type Role } from "@clara/train";
import { type Computed, tensorsOf } from "./compute.ts";
import type { LoadedCheckpoint } from "./session.ts";

/** A checkpoint's numbers as tensors by path, adapters with their role before it: what `nestClara` takes. */
export function claraTensors({ base, adapters }: LoadedCheckpoint): Record<string, tf.Tensor> {
  const own = Object.entries(adapters).flatMap(([role, arrays]) =>
    Object.entries(arrays).map(([path, array]) => [`${role}.${path}`, array]),
  );
  return tensorsOf({ ...base, ...(Object.fromEntries(own) as Weights) });
}

/** Those of `claraTensors` that stages train: all adapters, and the rows of the memory tokens where they are asked for. */
export function trainable(
  tensors: Readonly<Record<string, tf.Tensor>>,
  { firstMemoryId, memoryTokens, decoder }: ClaraShape,
  { memoryRows }: { readonly memoryRows: boolean },
): Record<string, tf.Tensor> {
  const roles = Object.keys(adapterNames);
  const own = Object.entries(tensors).filter(([name]) => roles.some((role) => name.startsWith(`${role}.`)));
  const rows = tf.slice(tensors.words as tf.Tensor2D, [firstMemoryId, 0], [memoryTokens, decoder.width]);
  return { ...Object.fromEntries(own), ...(memoryRows && { memoryRows: rows }) };
}

/** Parameters of which some are others than `tensors` has. */
export function paramsWith(
  tensors: Readonly<Record<string, tf.Tensor>>,
  moved: Readonly<Record<string, tf.Tensor>>,
  shape: ClaraShape,
): ClaraParams {
  return nestClara({ ...tensors, ...moved }, shape);
}

/** By the reference's names, `encoder_adapter/model.layers.0.…`, with its shapes; memory rows are `memory_rows`. */
export function referenceNames(
  values: Readonly<Record<string, Computed>>,
  decoder: DecoderConfig,
): Record<string, Computed> {
  const named = (Object.entries(adapterNames) as [Role, string][]).flatMap(([role, adapter]) => {
    const own = Object.entries(values).filter(([name]) => name.startsWith(`${role}.`));
    if (own.length === 0) return [];
    const arrays = Object.fromEntries(
      own.map(([name, array]) => [name.slice(role.length + 1), array as Weights[string]]),
    );
    return Object.entries(adapterWeights(arrays, decoder)).map(([name, array]) => [`${adapter}/${name}`, array]);
  });
  return { ...Object.fromEntries(named), ...(values.memoryRows && { memory_rows: values.memoryRows }) };
}
