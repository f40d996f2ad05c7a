import { attention, dims, gelu, layerNorm, linear, tf } from "@clara/tensor";

// One transformer block over a batch of two token sequences, the second one padded.
const x: tf.Tensor3D = tf.randomNormal([2, 4, 8], 0, 1, "float32", 1);
const mask = tf.tensor2d([1, 1, 1, 1, 1, 1, 0, 0], [2, 4]);

let seed = 10;
const weight = (inputs: number, outputs: number): tf.Tensor2D =>
  tf.randomNormal([inputs, outputs], 0, 0.2, "float32", seed++);
const params = {
  query: weight(8, 8),
  key: weight(8, 8),
  value: weight(8, 8),
  expand: weight(8, 16),
  shrink: weight(16, 8),
  gamma: tf.ones<tf.Rank.R1>([8]),
  beta: tf.zeros<tf.Rank.R1>([8]),
};

function block(x: tf.Tensor3D): tf.Tensor3D {
  dims("block: x", x, ["B", "T", 8]);
  return tf.tidy(() => {
    const [q, k, v] = [linear(x, params.query), linear(x, params.key), linear(x, params.value)];
    const mixed: tf.Tensor3D = tf.add(x, attention(q, k, v, { heads: 2, mask })); // [B, T, 8]
    const normal = layerNorm(mixed, params.gamma, params.beta, 1e-5);
    return tf.add(normal, linear(gelu(linear(normal, params.expand)), params.shrink));
  });
}

const y = block(x);
console.log("output", y.shape);

const gradient = tf.grad((x: tf.Tensor) => tf.sum(tf.square(block(x as tf.Tensor3D))))(x);
const [largest] = await tf.max(tf.abs(gradient)).data();
console.log("largest gradient", largest?.toFixed(3));

try {
  block(tf.zeros([2, 4, 5]));
} catch (error) {
  console.log(String(error));
}
