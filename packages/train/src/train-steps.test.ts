import { ClaraError } from "@clara/core";
import { createEngine, type Engine, type Trainer } from "@clara/engine";
import { tf } from "@clara/tensor";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type TrainingBatch, type TrainingStep, type TrainStepsOptions, trainSteps } from "./train-steps.ts";

let engine: Engine;
beforeAll(async () => {
  engine = await createEngine({ prefer: "compiled", threads: 1 });
});
afterAll(() => engine?.dispose());

/** Σ (w·x - y)² over a batch of pairs, of which `parts` says how many each part has. */
function batch(pairs: readonly (readonly [number, number])[], parts: readonly number[]): TrainingBatch {
  let from = 0;
  return {
    parts: parts.map((count) => {
      const part = pairs.slice(from, from + count);
      from += count;
      const column = (i: 0 | 1) => ({ data: Float32Array.from(part, (pair) => pair[i]), shape: [count] });
      return { x: column(0), y: column(1) };
    }),
    divisor: pairs.length,
    tokens: 3 * pairs.length,
    examples: pairs.length,
    ids: pairs.map((_, i) => `pair ${i}`),
    next: { epoch: 0, cursor: pairs.length },
  };
}

async function trainer(w = 1): Promise<{ trainer: Trainer; read: () => Promise<number> }> {
  const params = await engine.params({ w: { shape: [1], data: new Float32Array([w]) } }, { trainable: true });
  return {
    trainer: await engine.trainer(
      ({ x, y }, { w }) => {
        const errors = tf.squaredDifference(tf.mul(x, w!), y);
        return { loss: tf.sum(errors), farthest: tf.max(errors), errors };
      },
      { x: { shape: ["N"] }, y: { shape: ["N"] } },
      { params },
    ),
    read: async () => (await params.read()).w!.data[0]!,
  };
}

async function steps(
  options: Partial<TrainStepsOptions> & Pick<TrainStepsOptions, "trainer">,
): Promise<TrainingStep[]> {
  const taken: TrainingStep[] = [];
  const defaults = { batches: () => [], schedule: () => 0.1, steps: 1 };
  for await (const step of trainSteps({ ...defaults, ...options })) taken.push(step);
  return taken;
}

// w = 1: errors 1, 4, 9, 0; gradients 2x(wx - y) are 2, -8, 18, 0.
const pairs = [
  [1, 0],
  [2, 4],
  [3, 0],
  [0, 0],
] as const;

describe("trainSteps", () => {
  it("means the same by a batch whole, in halves and in uneven parts", async () => {
    const results = await Promise.all(
      [[4], [2, 2], [1, 3], [1, 1, 1, 1]].map(async (parts) => {
        const { trainer: one, read } = await trainer();
        const [step] = await steps({ trainer: one, batches: () => [batch(pairs, parts)] });
        const { first } = (await one.state()).moments.w!;
        return { loss: step!.loss, norm: step!.norm, first: first[0]!, w: await read() };
      }),
    );
    // (1 + 4 + 9 + 0) / 4, and (2 - 8 + 18 + 0) / 4 with a tenth of it in the first moment.
    for (const { loss, norm, first, w } of results) {
      expect(loss).toBeCloseTo(3.5, 6);
      expect(norm).toBeCloseTo(3, 6);
      expect(first).toBeCloseTo(0.3, 6);
      expect(w).toBeCloseTo(0.9, 6);
    }
  });

  it("forgets a step's gradients before the next", async () => {
    const { trainer: one } = await trainer();
    const still = { schedule: () => 0, steps: 2, batches: () => [batch(pairs, [2, 2]), batch(pairs, [4])] };
    expect((await steps({ trainer: one, ...still })).map(({ norm }) => norm)).toEqual([3, 3]);
  });

  it("gives measures of one number, summed and divided as the loss, and no others", async () => {
    const { trainer: one } = await trainer();
    const [step] = await steps({ trainer: one, batches: () => [batch(pairs, [2, 2])] });
    expect(step!.measures).toEqual({ farthest: (4 + 9) / 4 });
  });

  it("asks the schedule for steps from 0, and counts them from 1", async () => {
    const asked: number[] = [];
    const schedule = (step: number): number => {
      asked.push(step);
      return step / 10;
    };
    const { trainer: one } = await trainer();
    const endless = function* () {
      for (;;) yield batch(pairs, [4]);
    };
    const taken = await steps({ trainer: one, batches: endless, schedule, steps: 3 });
    expect(asked).toEqual([0, 1, 2]);
    expect(taken.map(({ step, learningRate }) => [step, learningRate])).toEqual([
      [1, 0],
      [2, 0.1],
      [3, 0.2],
    ]);
    expect(taken[0]).toMatchObject({ tokens: 12, examples: 4, position: { epoch: 0, cursor: 4 } });
  });

  it("goes on where it is told to, and does nothing when that is the end", async () => {
    const { trainer: one } = await trainer();
    const asked: unknown[] = [];
    const batches = (from: unknown): TrainingBatch[] => {
      asked.push(from);
      return [batch(pairs, [4])];
    };
    const from = { step: 4, position: { epoch: 2, cursor: 8 } };
    expect(await steps({ trainer: one, batches, steps: 5, from })).toMatchObject([{ step: 5 }]);
    expect(await steps({ trainer: one, batches, steps: 4, from })).toEqual([]);
    expect(asked).toEqual([from.position]);
  });

  it.each([Number.NaN, Number.POSITIVE_INFINITY])("stops at a loss of %s with the batch named", async (bad) => {
    const { trainer: one, read } = await trainer();
    const broken = batch([[1, 0], [1, bad], ...Array.from({ length: 20 }, () => [1, 0] as const)], [22]);
    const taken: number[] = [];
    const run = async (): Promise<void> => {
      const options = { trainer: one, batches: () => [batch(pairs, [4]), broken], schedule: () => 0.1, steps: 9 };
      for await (const { step } of trainSteps(options)) taken.push(step);
    };
    await expect(run()).rejects.toMatchObject({
      code: "input",
      message: expect.stringMatching(/step 2: .*pair 0, pair 1, .* and 10 more; lower the learning rate/),
    });
    expect(taken).toEqual([1]);
    // The parameter is that after the first step.
    expect(await read()).toBeCloseTo(0.9, 6);
    expect(await read()).not.toBeNaN();
  });

  it("stops at a gradient that is not finite though the loss is", async () => {
    const params = await engine.params({ w: { shape: [1], data: new Float32Array(1) } }, { trainable: true });
    const root = await engine.trainer(
      ({ x }, { w }) => tf.sum(tf.sqrt(tf.mul(x, tf.abs(w!)))),
      { x: { shape: ["N"] } },
      { params },
    );
    const parts = [{ x: { data: new Float32Array([1]), shape: [1] } }];
    await expect(steps({ trainer: root, batches: () => [{ ...batch(pairs, [4]), parts }] })).rejects.toMatchObject({
      code: "input",
      message: expect.stringMatching(/step 1: the gradient is not finite, in the batch of pair 0, .*pair 3;/),
    });
  });

  it("passes on what else goes wrong in a step", async () => {
    const broken = {
      accumulate: async () => ({ loss: 1, outputs: {} }),
      step: () => Promise.reject(new ClaraError("engine", "the worker has ended")),
    };
    await expect(steps({ trainer: broken, batches: () => [batch(pairs, [4])] })).rejects.toMatchObject({
      code: "engine",
      message: "the worker has ended",
    });
  });

  it("stops between parts when the signal fires", async () => {
    const stop = new AbortController();
    let parts = 0;
    const counting = {
      accumulate: async () => {
        parts += 1;
        stop.abort();
        return { loss: 1, outputs: {} };
      },
      step: () => Promise.reject(new Error("no step may be taken")),
    };
    const options = { trainer: counting, batches: () => [batch(pairs, [2, 2])], signal: stop.signal };
    await expect(steps(options)).rejects.toMatchObject({ code: "aborted" });
    expect(parts).toBe(1);
  });
});
