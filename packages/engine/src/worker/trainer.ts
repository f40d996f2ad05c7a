import { ClaraError } from "@clara/core";
import { type AdamWArrays, adamW } from "../optimizer/adam-w.ts";
import { sumOfSquares } from "../optimizer/sum-of-squares.ts";
import type { HostTensors, OptimizerState, Requests, StepRates } from "../protocol.ts";
import type { Sizes } from "../size.ts";
import type { Loaded, Param, Runner } from "./runner.ts";
import { checkFinite } from "./stores.ts";

/** Gradients, moments and the update of the trained parameters, in place. */
export interface Trainer {
  accumulate(inputs: HostTensors, sizes: Sizes): Promise<HostTensors>;
  forget(): void;
  step(rates: StepRates): { norm: number; step: number };
  state(): OptimizerState;
  restore(state: OptimizerState): void;
  release(): Promise<void>;
}

/** A parameter that is trained; its gradient and moments are places in arrays of all. */
interface Trained extends AdamWArrays {
  readonly name: string;
}

const gradient = "gradient.";

/** @param params those that the program's outputs `gradient.<name>` name are trained, and no others. */
export async function createTrainer(
  runner: Runner,
  params: ReadonlyMap<string, Param>,
  { program, groups, options }: Requests["trainer"]["ask"],
): Promise<Trainer> {
  const names = program.outputs.flatMap(({ name }) => (name.startsWith(gradient) ? [name.slice(gradient.length)] : []));
  const { trained, gradients } = allocate(names, params);
  const into = Object.fromEntries(trained.map((one) => [gradient + one.name, one.gradients]));
  const load = async (adds: boolean): Promise<{ adds: boolean; loaded: Loaded }> => {
    const accumulate = adds ? { accumulate: new Set(Object.keys(into)) } : {};
    return { adds, loaded: await runner.load(program, params, { ...options, ...accumulate }) };
  };
  // Two forms of the program: one writes gradients, one adds to them. Each would hold its own copy of frozen weights and its
  // own memory for intermediate results, so there is one at a time, and once there has been a second batch it is the latter.
  let form: { adds: boolean; loaded: Loaded } | undefined = await load(false);
  let batches = 0;
  let step = 0;

  return {
    async accumulate(inputs, sizes) {
      const before = batches;
      batches = 0; // a run that fails leaves who knows what
      if (!form || (before > 0 && !form.adds)) {
        await form?.loaded.release();
        form = undefined;
        form = await load(before > 0);
      }
      // Of all numbers, -0 is the one that every number can be added to without a change: the two forms agree in each bit.
      if (form.adds && before === 0) gradients.fill(-0);
      const results = await form.loaded.run(inputs, sizes, into);
      batches = before + 1;
      return Object.fromEntries(Object.entries(results).filter(([name]) => !(name in into)));
    },
    forget() {
      batches = 0;
    },
    step({ clipNorm, divisor, learningRate, ...rates }) {
      if (batches === 0) {
        throw new ClaraError(
          "engine",
          "trainer.step: there are no gradients since the last step; call accumulate first",
        );
      }
      batches = 0;
      const norm = Math.sqrt(sumOfSquares(gradients)) / divisor;
      if (!Number.isFinite(norm)) {
        const culprit = trained.find((one) => !Number.isFinite(sumOfSquares(one.gradients)))?.name;
        throw new ClaraError(
          "engine",
          `trainer.step: the gradient's norm is ${norm}, first in ${culprit}; nothing was changed. ` +
            "Lower the learning rate, or look at the batch",
        );
      }
      step++;
      // The small number is PyTorch's `clip_grad_norm_`'s.
      const scale = Math.min(1, clipNorm / (norm + 1e-6)) / divisor;
      for (const one of trained) {
        const { rate, decay } = groups[one.name]!;
        const weightDecay = rates.weightDecay * decay;
        adamW(one, { ...rates, learningRate: learningRate * rate, weightDecay, scale, step });
      }
      return { norm, step };
    },
    state: () => ({
      step,
      moments: Object.fromEntries(
        trained.map(({ name, first, second }) => [name, { first: first.slice(), second: second.slice() }]),
      ),
    }),
    restore(state) {
      checkState(trained, state);
      for (const { name, first, second } of trained) {
        first.set(state.moments[name]!.first);
        second.set(state.moments[name]!.second);
      }
      step = state.step;
      batches = 0;
    },
    async release() {
      await form?.loaded.release();
      form = undefined;
    },
  };
}

/** One array for all gradients, so that their norm is one sum. */
function allocate(
  names: readonly string[],
  params: ReadonlyMap<string, Param>,
): { trained: readonly Trained[]; gradients: Float32Array } {
  const arrays = names.map((name) => ({ name, values: params.get(name)!.data as Float32Array }));
  const total = arrays.reduce((size, { values }) => size + values.length, 0);
  const [gradients, first, second] = [new Float32Array(total), new Float32Array(total), new Float32Array(total)];
  let from = 0;
  const trained = arrays.map(({ name, values }) => {
    const to = from + values.length;
    const cut = (array: Float32Array): Float32Array => array.subarray(from, to);
    const one = { name, values, gradients: cut(gradients), first: cut(first), second: cut(second) };
    from = to;
    return one;
  });
  return { trained, gradients };
}

function checkState(trained: readonly Trained[], { step, moments }: OptimizerState): void {
  if (!Number.isInteger(step) || step < 0) {
    throw new ClaraError("option", `trainer.restore: the state's step must be an integer of at least 0, got ${step}`);
  }
  for (const { name, values } of trained) {
    for (const moment of ["first", "second"] as const) {
      const given = moments[name]?.[moment];
      if (!(given instanceof Float32Array) || given.length !== values.length) {
        throw new ClaraError(
          "shape",
          `trainer.restore: the ${moment} moment of ${name} must be ${values.length} float32 numbers, ` +
            `got ${given ? given.length : "none"}; the state is that of other parameters`,
        );
      }
      checkFinite(`trainer.restore: ${moment} moment`, name, given);
      if (moment === "second" && given.some((value) => value < 0)) {
        throw new ClaraError("weights", `trainer.restore: the second moment of ${name} has numbers below 0`);
      }
    }
  }
  const known = new Set(trained.map(({ name }) => name));
  const foreign = Object.keys(moments).find((name) => !known.has(name));
  if (foreign !== undefined) {
    throw new ClaraError("option", `trainer.restore: the state has moments of ${foreign}, which is not trained here`);
  }
}
