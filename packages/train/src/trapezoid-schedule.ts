import { ClaraError } from "@clara/core";
import { linearSchedule, type Schedule, type WarmupOptions } from "@clara/engine";

/**
 * A rise, a flat top, and a fall over the last `decaySteps`: a run that may be made longer as long as it is on top,
 * because how long it is shows only in its fall.
 *
 * @throws ClaraError "option" for impossible numbers.
 * @see Hu et al. 2024, "MiniCPM", section 4. https://arxiv.org/abs/2404.06395
 */
export function trapezoidSchedule({
  rate,
  warmupSteps = 0,
  decaySteps,
  totalSteps,
  floor = 0,
}: WarmupOptions & { readonly decaySteps: number }): Schedule {
  const top = totalSteps - decaySteps;
  if (!Number.isInteger(decaySteps) || decaySteps < 1) {
    throw new ClaraError("option", `trapezoidSchedule: decaySteps must be a whole number from 1, got ${decaySteps}`);
  }
  if (!(top >= warmupSteps)) {
    const least = warmupSteps + decaySteps;
    throw new ClaraError(
      "option",
      `trapezoidSchedule: ${totalSteps} steps are too few to rise for ${warmupSteps} (warmupSteps) and fall for ${decaySteps} (decaySteps); at least ${least} are needed`,
    );
  }
  const rise = linearSchedule({ rate, warmupSteps, totalSteps: Math.max(1, totalSteps), floor });
  const fall = linearSchedule({ rate, totalSteps: decaySteps, floor });
  return (step) => (step < warmupSteps ? rise(step) : step < top ? rate : fall(step - top));
}
