import {
  attention,
  crossEntropy,
  dropout,
  linear,
  matMulNBits,
  quantizeNBits,
  rmsNorm,
  rotary,
  silu,
  tf,
} from "@clara/tensor";

// One decoder block as in Llama: four query heads share two key heads, every token sees those before it.
let seed = 1;
const weight = (inputs: number, outputs: number): tf.Tensor2D =>
  tf.randomNormal([inputs, outputs], 0, 0.2, "float32", seed++);
const params = {
  query: weight(16, 16),
  key: weight(16, 8),
  value: weight(16, 8),
  gate: weight(16, 32),
  up: weight(16, 32),
  down: weight(32, 16),
  gamma: tf.ones<tf.Rank.R1>([16]),
};
const positions = tf.range(0, 5, 1, "int32");
const causal: tf.Tensor3D = tf.expandDims(tf.linalg.bandPart(tf.ones([5, 5]), -1, 0), 0); // [1, 5, 5]

function block(x: tf.Tensor3D, step: number): tf.Tensor3D {
  return tf.tidy(() => {
    const normal = rmsNorm(x, params.gamma, 1e-5);
    const q = rotary(linear(normal, params.query), { positions, heads: 4 });
    const k = rotary(linear(normal, params.key), { positions, heads: 2 });
    const v = linear(normal, params.value);
    const mixed: tf.Tensor3D = tf.add(x, attention(q, k, v, { heads: 4, keyHeads: 2, mask: causal }));
    const again = rmsNorm(mixed, params.gamma, 1e-5);
    const wide: tf.Tensor3D = tf.mul(silu(linear(again, params.gate)), linear(again, params.up)); // SwiGLU
    return tf.add(mixed, dropout(linear(wide, params.down), { rate: 0.1, seed: 1, step: tf.scalar(step, "int32") }));
  });
}

// A frozen output layer of ten words in 4 bits, and the words that should come next.
const output = quantizeNBits(await weight(10, 16).data<"float32">(), [10, 16], 16);
const head = {
  packed: tf.tensor2d(output.packed, [10, 2]),
  scales: tf.tensor2d(output.scales, [10, 1]),
  blockSize: 16,
};
const next = tf.tensor1d([3, 1, 4, 1, 5], "int32");

const loss = (x: tf.Tensor): tf.Scalar =>
  crossEntropy(tf.reshape(matMulNBits(block(x as tf.Tensor3D, 7), head), [5, 10]), next);
let x: tf.Tensor = tf.randomNormal([1, 5, 16], 0, 1, "float32", 99);
for (let round = 0; round < 3; round++) {
  const { value, grad } = tf.valueAndGrad(loss)(x);
  console.log(`loss ${(await value.data())[0]?.toFixed(3)} nats a word`);
  x = tf.sub(x, tf.mul(grad, 2));
}
