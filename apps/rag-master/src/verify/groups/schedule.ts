import { type OptimizerSettings, scheduleOf } from "@clara/train";
import type { Group } from "../group.ts";
import { LEARNING_RATE } from "../tolerances.ts";

interface Recorded {
  readonly kind: string;
  readonly total_steps: number;
  readonly warmup_steps: number;
  readonly learning_rate: number;
  /** What a cosine ends at. @default a tenth of the learning rate, as in the reference */
  readonly min_lr?: number;
  readonly lr_used_per_step: readonly number[];
}

/** What Transformers call a schedule, as ours; undefined for one that ours lacks. Their constant has no warm-up. */
export function scheduleNamed(
  kind: string,
  learningRate: number,
  warmupSteps: number,
  floor: number = 0.1 * learningRate,
): Pick<OptimizerSettings, "learningRate" | "schedule" | "warmupSteps" | "floor"> | undefined {
  if (kind === "constant") return { learningRate, schedule: "constant", warmupSteps: 0 };
  if (kind === "constant_with_warmup") return { learningRate, schedule: "constant", warmupSteps };
  if (kind === "cosine_with_min_lr") return { learningRate, schedule: "cosine", warmupSteps, floor };
  if (kind === "cosine" || kind === "linear") return { learningRate, schedule: kind, warmupSteps };
  return undefined;
}

/** The learning rate of every step. */
export const schedule: Group = {
  name: "schedule",
  async run({ folder }, checks) {
    for (const [i, recorded] of folder.json<readonly Recorded[]>("schedule.json").entries()) {
      const { kind, total_steps, warmup_steps, learning_rate, min_lr, lr_used_per_step } = recorded;
      const name = `schedule/${i} ${kind}`;
      await checks.attempt(name, () => {
        const settings = scheduleNamed(kind, learning_rate, warmup_steps, min_lr);
        if (!settings) return checks.skip(name, "is a schedule that Clara has not");
        const rate = scheduleOf({ ...settings, weightDecay: 0, clipNorm: 1 }, total_steps);
        const ours = { data: lr_used_per_step.map((_, step) => rate(step)) };
        checks.close(name, ours, { data: lr_used_per_step }, LEARNING_RATE);
      });
    }
  },
};
