import { createEngine } from "@clara/engine";
import { tf } from "@clara/tensor";

const engine = await createEngine();

// The parameters live in the engine's worker: trained in place, shared by every function that uses them.
const params = await engine.params(
  { weight: { shape: [2, 1], data: new Float32Array(2) }, bias: { shape: [1], data: new Float32Array(1) } },
  { trainable: true },
);
const trainer = await engine.trainer(
  ({ x, y }, { weight, bias }) => tf.mean(tf.squaredDifference(tf.add(tf.matMul(x, weight!), bias!), y)),
  { x: { shape: ["N", 2] }, y: { shape: ["N", 1] } },
  { params },
);

// y = 2·x₀ - 3·x₁ + 1
const x = Float32Array.from({ length: 64 }, (_, i) => Math.sin(i * i));
const y = Float32Array.from({ length: 32 }, (_, i) => 2 * x[2 * i]! - 3 * x[2 * i + 1]! + 1);
for (let step = 0; step < 300; step++) {
  const { loss } = await trainer.accumulate({ x: { data: x, shape: [32, 2] }, y: { data: y, shape: [32, 1] } });
  await trainer.step({ learningRate: 0.05, weightDecay: 0 });
  if (step % 100 === 0) console.log(`step ${step}: ${loss.toFixed(3)}`);
}
const { weight, bias } = await params.read();
console.log([...weight!.data, ...bias!.data].map((number) => number.toFixed(2)).join(" ")); // 2.00 -3.00 1.00

await engine.dispose();
