import type { HostTensors, OptimizerState, Requests, StepRates } from "../protocol.ts";
import type { Sizes } from "../size.ts";
import type { Loaded, Param, Runner } from "./runner.ts";

/** Gradients, moments and the update of the trainable parameters, in place. */
export interface Trainer {
  accumulate(inputs: HostTensors, sizes: Sizes): Promise<HostTensors>;
  step(rates: StepRates): Promise<{ norm: number; step: number }>;
  state(): OptimizerState;
  restore(state: OptimizerState): void;
  release(): Promise<void>;
}

/** Numbers that are updated at once: four arrays of this size stay in a core's cache. */
const stride = 65_536;

/** Parameters that lie side by side and are treated alike. */
interface Segment {
  readonly rate: number;
  readonly decay: number;
  readonly values: Float32Array;
  readonly gradients: Float32Array;
  readonly first: Float32Array;
  readonly second: Float32Array;
}

const gradient = "gradient.";

export async function createTrainer(
  runner: Runner,
  params: ReadonlyMap<string, Param>,
  { program, update, groups, options }: Requests["trainer"]["ask"],
): Promise<Trainer> {
  const trained = [...params].filter(([, { trainable }]) => trainable).map(([name, { data }]) => ({
    name,
    values: data as Float32Array,
  }));
  // One array each, in the order of the parameters: neighbours stay neighbours.
  const total = trained.reduce((size, { values }) => size + values.length, 0);
  const [gradients, first, second] = [0, 1, 2].map(() => new Float32Array(total)) as [
    Float32Array,
    Float32Array,
    Float32Array,
  ];
  const places = new Map<string, { from: number; to: number }>();
  let offset = 0;
  for (const { name, values } of trained) {
    places.set(name, { from: offset, to: offset + values.length });
    offset += values.length;
  }
  const cut = (array: Float32Array, name: string): Float32Array => {
    const { from, to } = places.get(name)!;
    return array.subarray(from, to);
  };
  const names = program.outputs.flatMap(({ name }) => (name.startsWith(gradient) ? [name.slice(gradient.length)] : []));
  const into = Object.fromEntries(names.map((name) => [gradient + name, cut(gradients, name)]));
  const segments = segmentsOf(trained, groups, places, { gradients, first, second });
  const updating = await runner.load(update, new Map(), options);
  // The first batch writes the gradients, the following ones add to them: each form is loaded when it is needed.
  const forms: { write?: Loaded; add?: Loaded } = {};
  let batches = 0;
  let step = 0;

  return {
    async accumulate(inputs, sizes) {
      const form = batches === 0 ? "write" : "add";
      const accumulate = form === "add" ? { accumulate: new Set(Object.keys(into)) } : {};
      forms[form] ??= await runner.load(program, params, { ...options, ...accumulate });
      const results = await forms[form].run(inputs, sizes, into);
      batches++;
      return Object.fromEntries(Object.entries(results).filter(([name]) => !(name in into)));
    },
    async step(rates) {
      if (batches === 0) throw new Error("trainer.step: no gradients; call accumulate first");
      const norm = Math.sqrt(sumOfSquares(gradients)) / rates.divisor;
      if (!Number.isFinite(norm)) {
        batches = 0;
        throw new Error(
          `trainer.step: the gradient's norm is ${norm}; nothing was changed. Lower the learning rate, or look at the batch`,
        );
      }
      step++;
      batches = 0;
      for (const segment of segments) await advance(updating, segment, { ...rates, step, norm });
      return { norm, step };
    },
    state: () => ({
      step,
      moments: Object.fromEntries(
        trained.map(({ name }) => [name, { first: cut(first, name).slice(), second: cut(second, name).slice() }]),
      ),
    }),
    restore(state) {
      for (const { name, values } of trained) {
        const moments = state.moments[name];
        if (moments?.first.length !== values.length || moments.second.length !== values.length) {
          throw new Error(`trainer.restore: the state has no moments of ${values.length} numbers for ${name}`);
        }
      }
      for (const { name } of trained) {
        cut(first, name).set(state.moments[name]!.first);
        cut(second, name).set(state.moments[name]!.second);
      }
      step = state.step;
      batches = 0;
    },
    async release() {
      await Promise.all([updating.release(), forms.write?.release(), forms.add?.release()]);
    },
  };
}

function segmentsOf(
  trained: readonly { name: string; values: Float32Array }[],
  groups: Requests["trainer"]["ask"]["groups"],
  places: ReadonlyMap<string, { from: number; to: number }>,
  arrays: { gradients: Float32Array; first: Float32Array; second: Float32Array },
): Segment[] {
  const segments: Segment[] = [];
  let open: { rate: number; decay: number; values: Float32Array; from: number; to: number } | undefined;
  const close = (): void => {
    if (!open) return;
    const { rate, decay, values, from, to } = open;
    const [gradients, first, second] = [arrays.gradients, arrays.first, arrays.second].map((a) => a.subarray(from, to));
    segments.push({ rate, decay, values, gradients: gradients!, first: first!, second: second! });
  };
  for (const { name, values } of trained) {
    const { rate, decay } = groups[name]!;
    const { from, to } = places.get(name)!;
    const adjacent =
      open?.values.buffer === values.buffer && open.values.byteOffset + open.values.byteLength === values.byteOffset;
    if (open && adjacent && open.rate === rate && open.decay === decay) {
      open.to = to;
      open.values = new Float32Array(values.buffer as ArrayBuffer, open.values.byteOffset, to - open.from);
    } else {
      close();
      open = { rate, decay, values, from, to };
    }
  }
  close();
  return segments;
}

/** One step of AdamW over a segment, stride by stride. */
async function advance(
  updating: Loaded,
  { rate, decay, values, gradients, first, second }: Segment,
  { learningRate, beta1, beta2, epsilon, weightDecay, clipNorm, divisor, step, norm }: StepRates & { step: number; norm: number },
): Promise<void> {
  const scalar = (value: number): { data: Float32Array; shape: [] } => ({ data: Float32Array.of(value), shape: [] });
  const shared = {
    scale: scalar(Math.min(1, clipNorm / (norm + 1e-6)) / divisor),
    beta1: scalar(beta1),
    beta2: scalar(beta2),
    rest1: scalar(1 - beta1),
    rest2: scalar(1 - beta2),
    keep: scalar(1 - learningRate * rate * weightDecay * decay),
    rate: scalar((learningRate * rate) / (1 - beta1 ** step)),
    correction: scalar(1 / Math.sqrt(1 - beta2 ** step)),
    epsilon: scalar(epsilon),
  };
  for (let from = 0; from < values.length; from += stride) {
    const to = Math.min(values.length, from + stride);
    const [p, g, m, v] = [values, gradients, first, second].map((array) => array.subarray(from, to)) as [
      Float32Array,
      Float32Array,
      Float32Array,
      Float32Array,
    ];
    const shape = [to - from];
    const tensors = { p, g, m, v };
    const inputs = Object.fromEntries(Object.entries(tensors).map(([name, data]) => [name, { data, shape }]));
    await updating.run({ ...inputs, ...shared }, { N: to - from }, { p, m, v });
  }
}

function sumOfSquares(array: Float32Array): number {
  let sum = 0;
  for (let i = 0; i < array.length; i++) sum += array[i]! * array[i]!;
  return sum;
}
