import { layerNorm, tf } from "@clara/tensor";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createEngine, type Engine } from "./engine.ts";
import type { HostTensor } from "./protocol.ts";

const floats = (...shape: number[]): HostTensor => ({
  data: new Float32Array(shape.reduce((a, b) => a * b, 1)).fill(0.5),
  shape,
});

const megabytes = (): number => process.memoryUsage().rss / 2 ** 20;

/** What the process has grown by, when `times` rounds come after as many as fill arenas and heaps. */
async function growth(warmUp: number, times: number, round: () => Promise<void>): Promise<number> {
  for (let i = 0; i < warmUp; i++) await round();
  const before = megabytes();
  for (let i = 0; i < times; i++) await round();
  return megabytes() - before;
}

// Workers are threads: their memory is in the process's. Each bound is a small part of what a leak would add.
// (Engines that replay free tensors one by one: see worker/replay-runner.test.ts.)
describe("the memory of the engine compiled", () => {
  const [runs, rows] = [1000, 512];
  let engine: Engine;
  beforeAll(async () => {
    engine = await createEngine({ prefer: "compiled", threads: 1 });
  });
  afterAll(() => engine.dispose());

  const specs = { x: { shape: ["B", 128] } };
  const fn = ({ x }: Record<string, tf.Tensor>, { w }: Record<string, tf.Tensor>): Record<string, tf.Tensor> => ({
    sum: tf.add(x!, w!),
    norm: layerNorm(tf.relu(x as tf.Tensor3D), w as tf.Tensor1D, w as tf.Tensor1D, 1e-5),
  });

  it("is flat over 1,000 runs, and no tensor is left", async () => {
    const params = await engine.params({ w: floats(128) });
    const compiled = await engine.compile(fn, specs, { params });
    const batch = tf.ones([rows, 128]);
    const tensors = tf.memory().numTensors;
    let size = 0;
    const grown = await growth(runs / 5, runs, async () => {
      const x = tf.slice(batch, 0, rows - (size++ % 8)); // batches of several sizes, as they come
      tf.dispose([await compiled({ x }), x]);
    });
    expect(tf.memory().numTensors).toBe(tensors);
    const passed = (runs * rows * 128 * 4 * 3) / 2 ** 20; // one input and two results, in MiB
    expect(grown).toBeLessThan(0.4 * passed);
    batch.dispose();
    await compiled.dispose();
  });

  it("is flat over 200 functions that are compiled and disposed, and no tensor is left", async () => {
    const params = await engine.params({ w: floats(512, 512) }); // 1 MiB, copied into each function
    const tensors = tf.memory().numTensors;
    const grown = await growth(20, 200, async () => {
      const compiled = await engine.compile(
        ({ x }, { w }) => tf.matMul(x as tf.Tensor2D, w as tf.Tensor2D),
        {
          x: { shape: [1, 512] },
        },
        { params },
      );
      await compiled.run({ x: floats(1, 512) });
      await compiled.dispose();
    });
    expect(tf.memory().numTensors).toBe(tensors);
    expect(grown).toBeLessThan(60);
  });

  it("is given back with parameters", async () => {
    const grown = await growth(10, 60, async () => {
      const params = await engine.params({ w: floats(1024, 1024) }, { trainable: true }); // 4 MiB
      await params.write({ w: floats(1024, 1024) });
      await params.dispose();
    });
    expect(grown).toBeLessThan(100);
  });
});
