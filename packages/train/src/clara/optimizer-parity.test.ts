import { createEngine } from "@clara/engine";
import { haveFixtures, readFixture, readJson } from "@clara/model/testing";
import { tf } from "@clara/tensor";
import { expectClose } from "@clara/tensor/testing";
import { describe, expect, it } from "vitest";
import { type OptimizerSettings, scheduleOf } from "../recipe.ts";

interface Optimizer {
  readonly lr: number;
  readonly max_norm: number;
  readonly min_lr: number;
  readonly warmup_steps: number;
  readonly total_steps: number;
  readonly steps: readonly { readonly lr_used: number; readonly grad_norm_before_clip: number }[];
}

interface Schedule {
  readonly kind: string;
  readonly total_steps: number;
  readonly warmup_steps: number;
  readonly learning_rate: number;
  readonly lr_used_per_step: readonly number[];
}

/** What the reference calls a schedule, as ours: its floor is a tenth of the rate, and its constant has no warm-up. */
const settingsOf = (kind: string, learningRate: number, warmupSteps: number): OptimizerSettings => ({
  learningRate,
  ...(kind === "constant"
    ? { schedule: "constant", warmupSteps: 0 }
    : { schedule: "cosine", warmupSteps, floor: 0.1 * learningRate }),
  weightDecay: 0,
  clipNorm: 1,
  beta2: 0.95,
});

describe.skipIf(!haveFixtures)("the optimizer beside the reference's (needs ../shared/fixtures)", () => {
  it("has the learning rate of every step", () => {
    const schedules = readJson<Schedule[]>("schedule.json");
    expect(schedules.length).toBe(6);
    for (const { kind, total_steps, warmup_steps, learning_rate, lr_used_per_step } of schedules) {
      const rate = scheduleOf(settingsOf(kind, learning_rate, warmup_steps), total_steps);
      const rates = lr_used_per_step.map((_, step) => rate(step));
      expectClose(rates, lr_used_per_step, { absolute: 1e-12, relative: 0 });
    }
  });

  it("takes the same eight steps with prescribed gradients", async () => {
    const fixture = readJson<Optimizer>("optimizer.json");
    const recorded = readFixture("optimizer.safetensors");
    const host = (name: string) => ({ data: recorded[name]!.data, shape: recorded[name]!.shape });
    const settings = settingsOf("cosine_with_min_lr", fixture.lr, fixture.warmup_steps);
    const rate = scheduleOf(settings, fixture.total_steps);
    const engine = await createEngine({ prefer: ["compiled"] });
    try {
      const params = await engine.params({ a: host("a/0"), b: host("b/0") }, { trainable: true });
      // The gradient of a sum of products is the other factor.
      const trainer = await engine.trainer(
        ({ a, b }, params) => tf.add(tf.sum(tf.mul(a, params.a!)), tf.sum(tf.mul(b, params.b!))),
        { a: { shape: [4, 3] }, b: { shape: [5] } },
        { params },
      );
      for (const [i, { lr_used, grad_norm_before_clip }] of fixture.steps.entries()) {
        await trainer.accumulate({ a: host(`grad_a/${i + 1}`), b: host(`grad_b/${i + 1}`) });
        const { weightDecay, clipNorm, beta2 } = settings;
        const options = { learningRate: rate(i), weightDecay, clipNorm, beta2: beta2! };
        expect(rate(i)).toBeCloseTo(lr_used, 12);
        const { norm } = await trainer.step(options);
        expectClose(norm, grad_norm_before_clip);
        const { a, b } = await params.read();
        // A step is 2e-2 at most.
        expectClose(a!.data as Float32Array, host(`a/${i + 1}`).data, { absolute: 1e-6, relative: 0 });
        expectClose(b!.data as Float32Array, host(`b/${i + 1}`).data, { absolute: 1e-6, relative: 0 });
      }
    } finally {
      await engine.dispose();
    }
  });
});
