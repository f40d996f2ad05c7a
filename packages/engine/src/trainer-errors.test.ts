import { tf } from "@clara/tensor";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createEngine, type Engine } from "./engine.ts";
import { small, start, still, vector } from "./trainer.testing.ts";
import type { LossFunction, TrainerOptions } from "./trainer.ts";

let engine: Engine;
beforeAll(async () => {
  engine = await createEngine({ prefer: "compiled", threads: 1 });
});
afterAll(() => engine?.dispose());

describe("a step that cannot be taken", () => {
  it("is one without gradients", async () => {
    const { trainer } = await start(engine, small);
    const refused = {
      code: "engine",
      message: expect.stringContaining("no gradients since the last step; call accumulate first"),
    };
    await expect(trainer.step({ learningRate: 0.1 })).rejects.toMatchObject(refused);
    await trainer.accumulate(small.batch);
    await trainer.step({ learningRate: 0.1 });
    await expect(trainer.step({ learningRate: 0.1 })).rejects.toMatchObject(refused);
    await trainer.dispose();
  });

  it.for([Number.NaN, Infinity])(
    "is one whose gradient has %f: nothing changes, and the next batch counts",
    async (bad) => {
      const { trainer, params } = await start(engine, small);
      await trainer.accumulate(small.batch);
      await trainer.step({ learningRate: 0.1 });
      const [before, state] = [await params.read(), await trainer.state()];
      await trainer.accumulate(small.batch);
      await trainer.accumulate({ x: vector(bad, 0) });
      await expect(trainer.step({ learningRate: 0.1 })).rejects.toMatchObject({
        code: "engine",
        message: expect.stringMatching(/the gradient's norm is (NaN|Infinity), first in a; nothing was changed/),
      });
      expect(await params.read()).toEqual(before);
      expect(await trainer.state()).toEqual(state);
      await trainer.accumulate(small.batch);
      expect(await trainer.step({ learningRate: 0.1 })).toMatchObject({ step: 2 });
      await trainer.dispose();
    },
  );

  it("is one with impossible rates", async () => {
    const { trainer } = await start(engine, small);
    await trainer.accumulate(small.batch);
    for (const [options, text] of [
      [{ learningRate: -1 }, "learningRate must be finite and at least 0, got -1"],
      [{ learningRate: Number.NaN }, "learningRate must be finite and at least 0, got NaN"],
      [{ learningRate: 1, beta1: 1 }, "beta1 must be at least 0 and below 1, got 1"],
      [{ learningRate: 1, epsilon: 0 }, "epsilon must be finite and above 0, got 0"],
      [{ learningRate: 1, clipNorm: 0 }, "clipNorm must be above 0, got 0"],
      [{ learningRate: 1, divisor: 0 }, "divisor must be finite and above 0, got 0"],
      [{ learningRate: 1, weightDecay: -0.1 }, "weightDecay must be finite and at least 0, got -0.1"],
    ] as const) {
      await expect(trainer.step(options)).rejects.toMatchObject({ code: "option", message: `trainer.step: ${text}` });
    }
    expect(await trainer.step({ learningRate: 0.1 })).toMatchObject({ step: 1 }); // the gradients are still there
    await trainer.dispose();
  });
});

describe("a trainer that cannot be made", () => {
  const making = (change: { loss?: LossFunction }, options: Omit<TrainerOptions, "params"> = {}) =>
    start(engine, { ...small, ...change }, options);

  it("is one whose loss is not one number", async () => {
    const loss: LossFunction = (x, p) => tf.mul(p.a!, x.x!);
    await expect(making({ loss })).rejects.toMatchObject({
      code: "shape",
      message: expect.stringContaining("the loss must be one number, got [1,2]"),
    });
    const none = (() => ({ value: tf.scalar(1) })) as unknown as LossFunction;
    await expect(making({ loss: none })).rejects.toThrow("the loss must be one number, got undefined");
  });

  it("is one whose loss does not depend on a parameter", async () => {
    const loss: LossFunction = (x, p) => tf.sum(tf.mul(p.a!, x.x!));
    await expect(making({ loss })).rejects.toMatchObject({
      code: "option",
      message: expect.stringContaining("the loss does not depend on b; leave it out"),
    });
    await expect(making({ loss: (x) => tf.sum(x.x!) })).rejects.toThrow("the loss does not depend on a, b");
    const { trainer } = await making({ loss }, { rate: (name) => (name === "b" ? 0 : 1) });
    await trainer.dispose();
  });

  it("is one without anything to train", async () => {
    await expect(making({}, { rate: () => 0 })).rejects.toThrow("no parameter is trainable with a rate above 0");
    const params = await engine.params(small.params);
    await expect(engine.trainer(small.loss, small.specs, { params })).rejects.toMatchObject({ code: "option" });
  });

  it("is one with impossible shares, or an output with a gradient's name", async () => {
    await expect(making({}, { rate: () => Number.NaN })).rejects.toThrow(
      "rate of a must be a number of at least 0, got NaN",
    );
    await expect(making({}, { decay: () => -1 })).rejects.toThrow("decay of a must be a number of at least 0, got -1");
    const loss: LossFunction = (x, p) => ({ loss: small.loss(x, p), "gradient.a": x.x! });
    await expect(making({ loss })).rejects.toThrow("an output cannot be named gradient.a");
  });
});

describe("a batch", () => {
  it("of a wrong shape or type is refused, and the gradients stay", async () => {
    const { trainer } = await start(engine, small);
    await trainer.accumulate(small.batch);
    for (const x of [
      vector(1, 2, 3),
      { shape: [2], data: Int32Array.of(1, 2) },
      { shape: [1, 2], data: Float32Array.of(1, 2) },
    ]) {
      await expect(trainer.accumulate({ x })).rejects.toMatchObject({
        code: "shape",
        message: expect.stringContaining("trainer.accumulate: the input x must be float32 [2]"),
      });
    }
    await expect(trainer.accumulate({})).rejects.toThrow("got nothing");
    expect((await trainer.step(still)).norm).toBeCloseTo(Math.sqrt(29.5), 5);
    await trainer.dispose();
  });

  it("that is aborted takes the gradients since the last step along", async () => {
    const { trainer } = await start(engine, small);
    await trainer.accumulate(small.batch);
    const stop = new AbortController();
    const running = trainer.accumulate(small.batch, { signal: stop.signal });
    stop.abort();
    await expect(running).rejects.toMatchObject({ code: "aborted" });
    await expect(trainer.step({ learningRate: 0.1 })).rejects.toThrow("no gradients since the last step");
    await trainer.accumulate(small.batch);
    expect((await trainer.step(still)).norm).toBeCloseTo(Math.sqrt(29.5), 5);
    await trainer.dispose();
  });
});
