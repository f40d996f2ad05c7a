import type { Weights } from "@clara/core";
import { type DecoderConfig, decodeNext, decoderLogits, nestDecoder } from "@clara/model";
import { tf } from "@clara/tensor";
import { type Computed, compute, tensorOf, tensorsOf } from "./compute.ts";

/** The most probable tokens after a prompt, each read by itself over the keys and values of those before it. */
export async function continueGreedily(
  arrays: Weights,
  config: DecoderConfig,
  prompt: readonly number[],
  count: number,
): Promise<number[]> {
  const { layers, keyHeads: G, headWidth: K } = config;
  const ids = [...prompt];
  let caches: Record<string, Computed> = {};
  for (let read = 0; ids.length < prompt.length + count; ) {
    const next = ids.slice(read);
    const { best, ...kept } = await compute(() => {
      const params = nestDecoder(tensorsOf(arrays));
      // [1, G, C, K]: the slots that are filled, or one that is not.
      const cache = (name: string): tf.Tensor4D =>
        caches[name] ? (tensorOf(caches[name]) as tf.Tensor4D) : tf.zeros([1, G, 1, K]);
      const before = Array.from({ length: layers }, (_, i) => ({
        keys: cache(`keys.${i}`),
        values: cache(`values.${i}`),
      }));
      const batch = {
        ids: tf.tensor2d([next], undefined, "int32"),
        lengths: tf.tensor1d([read], "int32"),
        caches: before,
      };
      const { states, keys, values } = decodeNext(params, batch, config);
      const D = states.shape[2];
      const last: tf.Tensor2D = tf.reshape(tf.slice(states, [0, next.length - 1, 0], [1, 1, D]), [1, D]);
      const grown = (name: string, rows: tf.Tensor3D): tf.Tensor => {
        const heads = tf.transpose(tf.reshape(rows, [1, next.length, G, K]), [0, 2, 1, 3]);
        return caches[name] ? tf.concat([tensorOf(caches[name]), heads], 2) : heads;
      };
      const results: Record<string, tf.Tensor> = { best: tf.argMax(decoderLogits(params, last), 1) };
      for (let i = 0; i < layers; i++) {
        results[`keys.${i}`] = grown(`keys.${i}`, keys[i]!);
        results[`values.${i}`] = grown(`values.${i}`, values[i]!);
      }
      return results;
    });
    caches = kept;
    read = ids.length;
    ids.push(best!.data[0]!);
  }
  return ids.slice(prompt.length);
}
