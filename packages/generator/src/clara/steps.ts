import { ClaraError } from "@clara/core";
import type { DecoderOptions } from "@clara/engine";
import {
  type DecoderConfig,
  decodeNext,
  decoderLogits,
  embedTokens,
  nestAdapter,
  nestDecoder,
  placeMemories,
} from "@clara/model";
import { tf } from "@clara/tensor";

export interface StepsOptions {
  readonly decoder: DecoderConfig;
  /** `M` */
  readonly memoryTokens: number;
  readonly firstMemoryId: number;
  /** Ids of the tokenizer are below this. */
  readonly vocabulary: number;
  /** alpha / R of the adapter. */
  readonly loraScale: number;
}

type Tensors = Readonly<Record<string, tf.Tensor>>;

/**
 * A decoder with its adapter as an engine runs it: `step` reads ids, `prompt` reads ids [1, T] in which memories [1, k, M, D]
 * take the places of the memory tokens. Parameters are the base's and the adapter's by our paths.
 */
export function decoderSteps(
  options: StepsOptions,
): Pick<DecoderOptions, "step" | "prompt" | "layers" | "keyHeads" | "headWidth"> {
  const { decoder, memoryTokens: M, firstMemoryId } = options;
  const { layers, keyHeads, headWidth, width: D } = decoder;
  return {
    layers,
    keyHeads,
    headWidth,
    step: (inputs, tensors) =>
      next(embedTokens({ words: wordsOf(tensors, options) }, inputs.ids as tf.Tensor2D), inputs, tensors, options),
    prompt: {
      specs: {
        ids: { shape: ["B", "T"], dtype: "int32" },
        memories: { shape: ["B", "N", M, D] },
      },
      fn: (inputs, tensors) => {
        const ids = inputs.ids as tf.Tensor2D;
        const embeds = embedTokens({ words: wordsOf(tensors, options) }, ids);
        const placed = placeMemories(embeds, ids, inputs.memories as tf.Tensor4D, { firstMemoryId });
        return next(placed, inputs, tensors, options);
      },
    },
  };
}

/** Logits [B, V] after the newest token, and what the cache is to keep. */
function next(
  embeds: tf.Tensor3D,
  inputs: Tensors,
  tensors: Tensors,
  { decoder, loraScale }: StepsOptions,
): Record<string, tf.Tensor> {
  const own = Object.entries(tensors).filter(([name]) => !/\.[ab]$/.test(name));
  const params = nestDecoder(Object.fromEntries(own));
  const caches = params.layers.map((_, i) => ({
    keys: inputs[`keys.${i}`] as tf.Tensor4D,
    values: inputs[`values.${i}`] as tf.Tensor4D,
  }));
  const { states, keys, values } = decodeNext(
    params,
    { embeds, lengths: inputs.lengths as tf.Tensor1D, caches },
    { ...decoder, adapter: nestAdapter(tensors, loraScale) },
  );
  const [B, T, D] = states.shape;
  const last: tf.Tensor2D = tf.reshape(tf.slice(states, [0, T - 1, 0], [B, 1, D]), [B, D]);
  const made = (name: string, of: readonly tf.Tensor[]): [string, tf.Tensor][] => of.map((x, i) => [`${name}.${i}`, x]);
  return {
    logits: decoderLogits(params, last),
    ...Object.fromEntries([...made("keys", keys), ...made("values", values)]),
  };
}

function wordsOf({ words }: Tensors, { vocabulary }: StepsOptions): tf.Tensor2D {
  const rows = words!.shape[0]!;
  if (rows >= vocabulary) return words as tf.Tensor2D;
  throw new ClaraError(
    "weights",
    `claraGenerator: the base has ${rows} rows of embeddings, and the tokenizer ${vocabulary} ids; ` +
      "are the checkpoint's tables in it, and the base model's tokenizer with it?",
  );
}
