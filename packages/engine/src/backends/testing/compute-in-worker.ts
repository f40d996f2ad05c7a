// Loads a back end in a worker thread and computes a product, a gradient of an embedding and a sum of products there.
import { parentPort, workerData } from "node:worker_threads";
import { loadBackend } from "../load-backend.ts";

const { name, options, beside } = workerData;
// With this, a second copy of TensorFlow.js is in the thread.
if (beside) await import("@clara/tensor");
try {
  const { tf, details } = await loadBackend(name, options);
  const a = tf.tensor2d([1, 2, 3, 4], [2, 2]);
  const b = tf.tensor2d([5, 6, 7, 8], [2, 2]);
  const rows = tf.tensor1d([0, 0, 1], "int32");
  const before = tf.memory().numTensors;
  const values = tf.tidy(() => ({
    product: [...tf.matMul(a, b).dataSync()],
    gradient: [
      ...tf
        .grad((x) => tf.sum(tf.gather(x as typeof a, rows)))(a)
        .dataSync(),
    ],
    einsum: [...tf.einsum("ij,kj->ik", a, b).dataSync()],
  }));
  const leaked = tf.memory().numTensors - before;
  parentPort!.postMessage({ details, values, leaked, backend: tf.getBackend() });
} catch (error) {
  parentPort!.postMessage({ error: error instanceof Error ? error.message : String(error) });
}
