import { tf } from "@clara/tensor";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createEngine, type Engine } from "./engine.ts";
import { floats } from "./parity/numbers.testing.ts";
import type { OptimizerState } from "./protocol.ts";
import { dropping, small, start } from "./trainer.testing.ts";
import type { Trainer } from "./trainer.ts";

let engine: Engine;
beforeAll(async () => {
  engine = await createEngine({ prefer: "compiled", threads: 1 });
});
afterAll(() => engine?.dispose());

describe("state and restore", () => {
  const train = async ({ trainer }: { trainer: Trainer }, from: number, to: number): Promise<void> => {
    for (let step = from; step < to; step++) {
      for (const half of [0, 4]) await trainer.accumulate(dropping.batch(8 * step + half, 8 * step + half + 4, step));
      await trainer.step({ learningRate: 0.01 * (step + 1), clipNorm: 0.5, divisor: 2 });
    }
  };

  it("go on bit for bit in another engine", async () => {
    const whole = await start(engine, dropping);
    await train(whole, 0, 10);
    const half = await start(engine, dropping);
    await train(half, 0, 5);
    const saved = { params: await half.params.read(), state: await half.trainer.state() };
    expect(saved.state.step).toBe(5);

    const other = await createEngine({ prefer: "compiled", threads: 1 });
    try {
      const resumed = await start(other, { ...dropping, params: saved.params });
      await resumed.trainer.restore(saved.state);
      await train(resumed, 5, 10);
      expect(await resumed.params.read()).toEqual(await whole.params.read());
      expect(await resumed.trainer.state()).toEqual(await whole.trainer.state());
      // Without its state it would not have: the test sees the difference.
      expect(await half.params.read()).not.toEqual(await whole.params.read());
      await half.trainer.restore({ ...saved.state, step: 4 });
      await train(half, 5, 10);
      expect(await half.params.read()).not.toEqual(await whole.params.read());
    } finally {
      await other.dispose();
    }
  });

  it("leave out gradients since the last step", async () => {
    const { trainer } = await start(engine, small);
    await trainer.accumulate(small.batch);
    await trainer.restore(await trainer.state());
    await expect(trainer.step({ learningRate: 0.1 })).rejects.toThrow("no gradients since the last step");
    await trainer.dispose();
  });

  it("refuse a state that is not theirs, and change nothing", async () => {
    const { trainer } = await start(engine, small);
    await trainer.accumulate(small.batch);
    await trainer.step({ learningRate: 0.1 });
    const state = await trainer.state();
    const wrong = (change: Partial<OptimizerState["moments"][string]>): OptimizerState => ({
      step: 7,
      moments: { ...state.moments, b: { ...state.moments.b!, ...change } },
    });
    const { a, b } = state.moments;
    for (const [foreign, code, text] of [
      [{ step: 7, moments: { a } }, "shape", "the first moment of b must be 2 float32 numbers, got none"],
      [wrong({ second: new Float32Array(3) }), "shape", "the second moment of b must be 2 float32 numbers, got 3"],
      [{ step: 7, moments: { a, b, c: b } }, "option", "the state has moments of c, which is not trained here"],
      [wrong({ first: Float32Array.of(1, Number.NaN) }), "weights", "number 1 of b"],
      [wrong({ second: Float32Array.of(1, -1) }), "weights", "the second moment of b has numbers below 0"],
      [{ ...state, step: -1 }, "option", "the state's step must be an integer of at least 0, got -1"],
    ] as const) {
      const refusal = trainer.restore(foreign as OptimizerState);
      await expect(refusal).rejects.toMatchObject({ code, message: expect.stringContaining(text) });
      expect(await trainer.state()).toEqual(state);
    }
    await trainer.dispose();
  });
});

describe("memory", () => {
  it("is flat over 1,000 batches and 250 steps", async () => {
    const { trainer } = await start(engine, {
      params: { w: floats("w", [64, 256], 0.1) },
      specs: { x: { shape: ["B", 64] } },
      loss: (x, p) => {
        const y = tf.tanh(tf.matMul(x.x as tf.Tensor2D, p.w as tf.Tensor2D));
        return { loss: tf.mean(tf.square(tf.sub(y, 0.5))), y };
      },
    });
    const { data } = floats("x", [502, 64], 1);
    const train = async (batches: number): Promise<void> => {
      for (let i = 0; i < batches; i++) {
        const rows = 500 + (i % 3);
        await trainer.accumulate({ x: { shape: [rows, 64], data: data.slice(0, rows * 64) } });
        if (i % 4 === 3) await trainer.step({ learningRate: 1e-3 });
      }
    };
    await train(300);
    const before = process.memoryUsage().rss;
    await train(1000);
    // A batch takes 125 KiB, its output 500: 1,000 of either would be more than 120 MiB. Garbage comes and goes below that.
    expect((process.memoryUsage().rss - before) / 2 ** 20).toBeLessThan(50);
    await trainer.dispose();
  });
});
