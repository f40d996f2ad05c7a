import { createEngine } from "@clara/engine";
import { tf } from "@clara/tensor";

const engine = await createEngine();
console.log(`${engine.name}: ${engine.details}`);

// Any TensorFlow.js function, gradients included. A name in a shape is a size that may differ from call to call.
const fit = await engine.compile(
  ({ x, y, w }) => {
    const loss = (w: tf.Tensor) => tf.mean(tf.squaredDifference(tf.dot(x, w), y)) as tf.Scalar;
    return tf.valueAndGrad(loss)(w);
  },
  { x: { shape: ["N", 2] }, y: { shape: ["N"] }, w: { shape: [2] } },
);

// Called with tensors it gives tensors; `run` takes and gives plain arrays.
const { value, grad } = await fit({
  x: tf.tensor2d([1, 2, 3, 4, 5, 6], [3, 2]),
  y: tf.tensor1d([5, 11, 17]),
  w: tf.tensor1d([0, 1]),
});
console.log(`loss ${(await value.data())[0]}, gradient ${await grad.data()}`);

await engine.dispose();
