import { ClaraError } from "@clara/core";
import type { StepRates } from "../protocol.ts";

export interface StepOptions {
  /** This step's rate, of whatever schedule; 0 moves only the moments. */
  readonly learningRate: number;
  /** How much of the first moment is kept, at least 0 and below 1. @default 0.9 */
  readonly beta1?: number;
  /** How much of the second moment is kept, at least 0 and below 1. @default 0.999 */
  readonly beta2?: number;
  /** Added to the root of the second moment, above 0. @default 1e-8 */
  readonly epsilon?: number;
  /** Part of the learning rate by which parameters shrink, apart from their gradient. @default 0.01 */
  readonly weightDecay?: number;
  /** Largest norm of the gradient, over all trained parameters together; a longer one is scaled to it. @default Infinity */
  readonly clipNorm?: number;
  /** What the gradients are divided by: the number of batches, when each has the mean over itself. @default 1 */
  readonly divisor?: number;
}

/** Fills in the defaults. @throws ClaraError "option" for what no step can be taken with. */
export function checkRates({
  learningRate,
  beta1 = 0.9,
  beta2 = 0.999,
  epsilon = 1e-8,
  weightDecay = 0.01,
  clipNorm = Infinity,
  divisor = 1,
}: StepOptions): StepRates {
  const rates = { learningRate, beta1, beta2, epsilon, weightDecay, clipNorm, divisor };
  const check = (name: keyof StepRates, fits: (value: number) => boolean, wanted: string): void => {
    if (fits(rates[name])) return;
    throw new ClaraError("option", `trainer.step: ${name} must be ${wanted}, got ${rates[name]}`);
  };
  for (const name of ["learningRate", "weightDecay"] as const) {
    check(name, (value) => value >= 0 && value < Infinity, "finite and at least 0");
  }
  for (const name of ["beta1", "beta2"] as const)
    check(name, (value) => value >= 0 && value < 1, "at least 0 and below 1");
  for (const name of ["epsilon", "divisor"] as const)
    check(name, (value) => value > 0 && value < Infinity, "finite and above 0");
  check("clipNorm", (value) => value > 0, "above 0");
  return rates;
}
