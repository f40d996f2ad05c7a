import { ClaraError } from "@clara/core";
import type { Program } from "../program.ts";
import type { Sizes } from "../size.ts";
import { namedSizes, type Specs } from "../specs.ts";
import type { KernelSet } from "./backend.ts";
import { generalise, sampleSizes } from "./generalise.ts";
import { type Structure, type Traceable, trace } from "./trace.ts";

export interface ProgramOptions {
  readonly weights: Traceable["weights"];
  readonly kernelSet: KernelSet;
  /** Least size of a name that the function can be traced with, where it needs more than a few. @default {} */
  readonly leastSizes?: Sizes | undefined;
}

/** A program, and how its outputs are put together. */
export interface Traced {
  readonly program: Program;
  readonly structure: Structure;
}

/** The program of a function: traced once, or at several sizes when its specs have names, and then generalised. */
export async function programOf(
  fn: Traceable["fn"],
  specs: Specs,
  { weights, kernelSet, leastSizes = {} }: ProgramOptions,
): Promise<Traced> {
  const names = namedSizes(specs);
  const foreign = Object.keys(leastSizes).find((name) => !names.includes(name));
  if (foreign !== undefined) {
    throw new ClaraError("option", `compile: leastSizes.${foreign} is not a name of the specs (${names.join(", ")})`);
  }
  const at = (sizes: Sizes): ReturnType<typeof trace> =>
    trace({
      fn,
      weights,
      kernelSet,
      inputs: Object.fromEntries(
        Object.entries(specs).map(([name, { shape, dtype = "float32" }]) => [
          name,
          { dtype, shape: shape.map((size) => (typeof size === "string" ? sizes[size]! : size)) },
        ]),
      ),
    });
  if (names.length === 0) return at({});
  const samples = sampleSizes(names, leastSizes);
  const traces: ReturnType<typeof trace>[] = [];
  for (const sizes of samples) {
    traces.push(at(sizes));
    // Tracing needs the main thread; between two traces others have their turn.
    await new Promise((resolve) => setImmediate(resolve));
  }
  const program = generalise(
    traces.map(({ program }) => program),
    samples,
    names,
  );
  return { program, structure: traces[0]!.structure };
}
