import { createEngine } from "@clara/engine";
import { cachedAttention, tf } from "@clara/tensor";

// A toy of one layer over 12 words, with sines for weights; a trained model's come from a file.
const sines = (...shape: number[]) => ({
  shape,
  data: Float32Array.from({ length: shape.reduce((a, b) => a * b) }, (_, i) => Math.sin(3 * i * i)),
});
const engine = await createEngine();
const params = await engine.params({ words: sines(12, 8), qkv: sines(8, 24) });

const decoder = await engine.decoder({
  layers: 1,
  keyHeads: 2,
  headWidth: 4,
  params,
  // B sequences, T new tokens of each: all of a prompt at first, then one at a time.
  step: ({ ids, lengths, "keys.0": keys, "values.0": values }, { words, qkv }) => {
    const [B, T] = ids!.shape as [number, number];
    const x = tf.gather(words!, ids as tf.Tensor2D); // [B, T, 8]
    const [q, k, v] = tf.split(tf.reshape(tf.matMul(tf.reshape(x, [-1, 8]), qkv!), [B, T, 24]), 3, 2) as tf.Tensor3D[];
    const cache = { keys: keys as tf.Tensor4D, values: values as tf.Tensor4D };
    const y = cachedAttention(q!, k!, v!, cache, { heads: 2, lengths: lengths as tf.Tensor1D });
    const last = tf.reshape(tf.slice(tf.add(x, y), [0, T - 1, 0], [B, 1, 8]), [B, 8]);
    return { logits: tf.matMul(last, words!, false, true), "keys.0": k!, "values.0": v! };
  },
});

for await (const { row, id } of decoder.generate([[1, 2, 3], [7]], { maxTokens: 5, temperature: 0.8, seed: 42 })) {
  console.log(`answer ${row}: ${id}`);
}
await engine.dispose();
