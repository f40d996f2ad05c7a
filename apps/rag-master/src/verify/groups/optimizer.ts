import type { Weights } from "@clara/core";
import { tf } from "@clara/tensor";
import { scheduleOf } from "@clara/train";
import { difference } from "../compare.ts";
import type { Group } from "../group.ts";
import { GRADIENT, LEARNING_RATE, OPTIMIZER } from "../tolerances.ts";
import { scheduleNamed } from "./schedule.ts";

interface Recorded {
  readonly lr: number;
  readonly betas: readonly [number, number];
  readonly eps: number;
  readonly weight_decay: number;
  readonly max_norm: number;
  readonly schedule: string;
  readonly warmup_steps: number;
  readonly total_steps: number;
  readonly min_lr?: number;
  readonly steps: readonly { readonly lr_used: number; readonly grad_norm_before_clip: number }[];
}

/** Steps with prescribed gradients, in the engine's trainer. */
export const optimizer: Group = {
  name: "optimizer",
  async run({ folder, engine: start, signal }, checks) {
    const file = folder.json<Recorded>("optimizer.json");
    const recorded = folder.weights("optimizer.safetensors");
    const names = Object.keys(recorded).flatMap((key) => /^(.+)\/0$/.exec(key)?.[1] ?? []);
    // A vector as a matrix of one row: ours have no weight decay, the reference's have all the same.
    const rowsOf = ({ shape }: Weights[string]): number[] => (shape.length === 1 ? [1, ...shape] : [...shape]);
    const host = (key: string) => ({ data: recorded[key]!.data, shape: rowsOf(recorded[key]!) });
    const all = (before: string, step: number) =>
      Object.fromEntries(names.map((name) => [name, host(`${before}${name}/${step}`)]));
    const settings = scheduleNamed(file.schedule, file.lr, file.warmup_steps, file.min_lr);
    if (!settings) return checks.skip("optimizer", `${file.schedule} is a schedule that Clara has not`);
    const rate = scheduleOf({ ...settings, weightDecay: 0, clipNorm: 1 }, file.total_steps);
    const engine = await start();
    const params = await engine.params(all("", 0), { trainable: true });
    // The gradient of a sum of products is the other factor.
    const trainer = await engine.trainer(
      (inputs, params) => tf.addN(names.map((name) => tf.sum(tf.mul(inputs[name]!, params[name]!)))),
      Object.fromEntries(names.map((name) => [name, { shape: rowsOf(recorded[`${name}/0`]!) }])),
      { params },
    );
    try {
      const norms: number[] = [];
      const moved: { what: string; error: number }[] = [];
      for (const [i] of file.steps.entries()) {
        await trainer.accumulate(all("grad_", i + 1), { signal });
        const [beta1, beta2] = file.betas;
        const more = { beta1, beta2, epsilon: file.eps, weightDecay: file.weight_decay, clipNorm: file.max_norm };
        norms.push((await trainer.step({ learningRate: rate(i), ...more })).norm);
        const values = await params.read();
        for (const name of names) {
          const key = `${name}/${i + 1}`;
          const { error, at } = difference({ data: values[name]!.data as Float32Array }, host(key));
          moved.push({ what: `${key} ${at}`, error });
        }
      }
      const used = { data: file.steps.map(({ lr_used }) => lr_used) };
      checks.close("optimizer/lr_used", { data: file.steps.map((_, i) => rate(i)) }, used, LEARNING_RATE);
      const wanted = file.steps.map((step) => step.grad_norm_before_clip);
      const apart = norms.map((norm, i) => ({ what: `step ${i + 1}`, error: Math.abs(norm / wanted[i]! - 1) }));
      checks.worst("optimizer/grad_norm_before_clip", apart, GRADIENT);
      checks.worst("optimizer/parameters", moved, OPTIMIZER * file.lr);
    } finally {
      await trainer.dispose();
      await params.dispose();
    }
  },
};
