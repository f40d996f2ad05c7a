import { tf } from "@clara/tensor";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createEngine, type Engine } from "./engine.ts";
import { norm } from "./parity/compare.testing.ts";
import { close, dropping, network, small, start, still, values, vector } from "./trainer.testing.ts";

let compiled: Engine;
let cpu: Engine;
beforeAll(async () => {
  compiled = await createEngine({ prefer: "compiled", threads: 1 });
  cpu = await createEngine({ prefer: "cpu" });
});
afterAll(async () => {
  await compiled?.dispose();
  await cpu?.dispose();
});

describe.for(["compiled", "cpu"] as const)("a trainer on the engine %s", (name) => {
  const engine = (): Engine => (name === "cpu" ? cpu : compiled);

  it("returns the loss, and steps with AdamW", async () => {
    const { trainer, params } = await start(engine(), small);
    expect((await trainer.accumulate(small.batch)).loss).toBeCloseTo(11 + 0.75 ** 2, 6);
    const { norm, step } = await trainer.step({ learningRate: 0.1, weightDecay: 0.5 });
    expect(norm).toBeCloseTo(Math.sqrt(9 + 16 + 2 * 1.5 ** 2), 6);
    expect(step).toBe(1);
    // The first step is the learning rate against the gradient's sign; only the matrix decays, by 0.1·0.5 of itself.
    expect(await values(params, "a")).toEqual(close([0.95 - 0.1, 1.9 - 0.1]));
    expect(await values(params, "b")).toEqual(close([0.4, 0.15]));
    await trainer.dispose();
  });

  it("sums gradients of several batches up, and divides them", async () => {
    const { trainer } = await start(engine(), small);
    for (const x of [vector(3, 4), vector(1, -2), vector(2, 1)]) await trainer.accumulate({ x });
    const { norm } = await trainer.step({ ...still, divisor: 3 });
    expect(norm).toBeCloseTo(Math.sqrt(4 + 1 + 2 * 1.5 ** 2), 6);
    const { moments } = await trainer.state();
    expect([...moments.a!.first, ...moments.b!.first]).toEqual(close([2, 1, 1.5, 1.5]));
    await trainer.accumulate(small.batch);
    await trainer.step(still);
    expect([...(await trainer.state()).moments.a!.first]).toEqual(close([3, 4]));
    await trainer.dispose();
  });

  it("gives the gradients of a batch by its halves, within 1e-6", async () => {
    const gradients = async (cuts: readonly number[]): Promise<number[]> => {
      const { trainer } = await start(engine(), network);
      for (const [i, from] of cuts.slice(0, -1).entries()) await trainer.accumulate(network.batch(from, cuts[i + 1]!));
      await trainer.step({ ...still, divisor: cuts.length - 1 });
      const { moments } = await trainer.state();
      await trainer.dispose();
      return Object.values(moments).flatMap(({ first }) => [...first]);
    };
    const [whole, halves] = [await gradients([0, 6]), await gradients([0, 3, 6])];
    expect(whole.length).toBe(8 * 16 + 16 + 16 * 3);
    const difference = norm(whole.map((value, i) => value - halves[i]!));
    expect(difference / norm(whole)).toBeLessThan(1e-6);
  });

  it("returns what the loss function returns beside the loss, of each batch", async () => {
    const { trainer } = await start(engine(), {
      ...small,
      loss: (x, p) => ({
        loss: tf.reshape(small.loss(x, p), [1]),
        twice: tf.mul(x.x!, 2),
        x: x.x!,
        a: p.a!,
        rows: tf.scalar(3, "int32"),
      }),
    });
    for (const x of [vector(3, 4), vector(1, 0)]) {
      const { loss, outputs } = await trainer.accumulate({ x });
      expect(loss).toBeCloseTo(x.data[0]! + 2 * x.data[1]! + 0.75 ** 2, 6);
      expect(outputs).toEqual({
        twice: { shape: [2], data: x.data.map((value) => 2 * value) },
        x,
        a: small.params.a,
        rows: { shape: [], data: Int32Array.of(3) },
      });
    }
    await trainer.dispose();
  });

  it("drops other entries at each step, and the same at the same", async () => {
    const { trainer } = await start(engine(), dropping);
    const dropped = async (step: number): Promise<string> => {
      const { outputs } = await trainer.accumulate(dropping.batch(0, 4, step));
      return Array.from(outputs.kept!.data, (value) => Number(value === 0)).join("");
    };
    const masks = [await dropped(1), await dropped(2), await dropped(1), await dropped(3)];
    expect(masks[2]).toBe(masks[0]);
    expect(new Set(masks).size).toBe(3);
    await trainer.dispose();
  });

  it("has gradients that are an input, a constant, or those of another parameter", async () => {
    const { trainer } = await start(engine(), {
      loss: (x, p) => tf.add(tf.sum(tf.mul(p.a!, x.x!)), tf.add(tf.sum(p.b!), tf.sum(tf.square(tf.add(p.c!, p.d!))))),
      specs: small.specs,
      params: { a: vector(1, 2), b: vector(5, 6, 7), c: vector(1, 2), d: vector(3, 4) },
    });
    for (const batches of [1, 2, 1]) {
      for (let i = 0; i < batches; i++) await trainer.accumulate(small.batch);
      await trainer.step(still);
      const { moments } = await trainer.state();
      const expected = { a: [3, 4], b: [1, 1, 1], c: [8, 12], d: [8, 12] };
      for (const [name, once] of Object.entries(expected)) {
        expect([...moments[name]!.first]).toEqual(once.map((value) => batches * value));
      }
    }
    await trainer.dispose();
  });
});

describe("the engines compiled and cpu", () => {
  it("train alike, within 1e-5", async () => {
    const train = async (engine: Engine): Promise<number[]> => {
      const { trainer, params } = await start(engine, dropping);
      for (let step = 0; step < 8; step++) {
        for (const half of [0, 1])
          await trainer.accumulate(dropping.batch(8 * step + 4 * half, 8 * step + 4 * half + 4, step));
        await trainer.step({ learningRate: 0.01, clipNorm: 0.3, divisor: 2 });
      }
      await trainer.dispose();
      return Object.values(await params.read()).flatMap(({ data }) => [...data]);
    };
    const [a, b] = [await train(compiled), await train(cpu)];
    expect(norm(a.map((value, i) => value - b[i]!)) / norm(b)).toBeLessThan(1e-5);
    const before = Object.values(dropping.params).flatMap(({ data }) => [...data]);
    expect(norm(before.map((value, i) => value - b[i]!)) / norm(b)).toBeGreaterThan(0.05);
  });
});

describe("groups", () => {
  it("take their share of the rate and of the decay", async () => {
    const { trainer, params } = await start(compiled, small, {
      rate: (name) => (name === "a" ? 2 : 0.5),
      decay: (name, shape) => (name === "b" && shape.length === 1 ? 1 : 0),
    });
    await trainer.accumulate(small.batch);
    await trainer.step({ learningRate: 0.1, weightDecay: 0.5 });
    expect(await values(params, "a")).toEqual(close([1 - 0.2, 2 - 0.2]));
    expect(await values(params, "b")).toEqual(close([0.5 * 0.975 - 0.05, 0.25 * 0.975 - 0.05]));
    await trainer.dispose();
  });

  it("freeze a parameter at rate 0: no decay, no part in the norm, no place in the state", async () => {
    const { trainer, params } = await start(compiled, small, {
      rate: (name) => (name === "a" ? 0 : 1),
      decay: () => 1,
    });
    await trainer.accumulate(small.batch);
    expect((await trainer.step({ learningRate: 0.1 })).norm).toBeCloseTo(Math.sqrt(2 * 1.5 ** 2), 6);
    expect(await values(params, "a")).toEqual([1, 2]);
    expect(Object.keys((await trainer.state()).moments)).toEqual(["b"]);
    await trainer.dispose();
  });

  it("clip the norm over all of them together", async () => {
    const { trainer } = await start(compiled, small);
    await trainer.accumulate(small.batch);
    const { norm: whole } = await trainer.step({ ...still, clipNorm: 1 });
    expect(whole).toBeCloseTo(Math.sqrt(29.5), 5);
    const { moments } = await trainer.state();
    const clipped = [3, 4, 1.5, 1.5].map((value) => value / Math.sqrt(29.5));
    expect([...moments.a!.first, ...moments.b!.first]).toEqual(close(clipped, 5));
    await trainer.dispose();
  });
});
