import { loadBackend, type Tf } from "../backends/index.ts";
import type { EngineName, EngineSettings } from "../options.ts";
import type { Call, Data, Port, Program } from "../program.ts";
import type { HostTensor } from "../protocol.ts";
import { evaluate, isExpression, type Size, type Sizes } from "../size.ts";
import type { Loaded, Param, Runner } from "./runner.ts";
import { runScripted, scriptedNames } from "./scripted-kernels.ts";
import { numbersOf } from "./stores.ts";

type Tensor = ReturnType<Tf["tensor"]>;

/** Runs programs by calling their kernels again, one by one, on a back end of TensorFlow.js. */
export async function replayRunner(
  engine: Exclude<EngineName, "compiled">,
  { addon, packageFolder, cacheFolder }: EngineSettings,
): Promise<Runner> {
  const { tf, details } = await loadBackend(engine, { addon, packageFolder, cache: cacheFolder });
  const weights = createWeights(tf);
  return {
    details: Object.entries(details)
      .filter(([, value]) => typeof value === "string")
      .map(([key, value]) => `${key} ${value}`)
      .join(", "),
    load: (program, params, { accumulate }) => replayed(tf, weights, program, params, accumulate),
  };
}

/** Frozen parameters as tensors: one of each, for all functions that use it. */
interface Weights {
  take(param: Param): Promise<Tensor>;
  giveBack(param: Param): void;
}

function createWeights(tf: Tf): Weights {
  const held = new Map<Param, { readonly tensor: Tensor; users: number }>();
  return {
    async take(param) {
      let entry = held.get(param);
      if (!entry) {
        const { shape, dtype } = param;
        entry = { tensor: tf.tensor((await numbersOf(param)) as Float32Array, [...shape], dtype), users: 0 };
        held.set(param, entry);
      }
      entry.users++;
      return entry.tensor;
    },
    giveBack(param) {
      const entry = held.get(param)!;
      if (--entry.users > 0) return;
      entry.tensor.dispose();
      held.delete(param);
    },
  };
}

async function replayed(
  tf: Tf,
  weights: Weights,
  program: Program,
  params: ReadonlyMap<string, Param>,
  accumulate: ReadonlySet<string> | undefined,
): Promise<Loaded> {
  const plan = program.calls.map((call) => ({ call, done: [] as number[] }));
  // A value is freed after the last call that reads it, unless it is an output.
  const outputs = new Set(program.outputs.map(({ value }) => value));
  const seen = new Set<number>(outputs);
  for (const step of plan.toReversed()) {
    for (const value of [...Object.values(step.call.inputs), ...step.call.outputs]) {
      if (!seen.has(value)) step.done.push(value);
      seen.add(value);
    }
  }
  const tensor = ({ data, shape }: HostTensor, { dtype }: Port): Tensor =>
    tf.tensor(data as Float32Array, [...shape], dtype);
  const taken: Param[] = [];
  const constants: Tensor[] = [];
  const frozen = new Map<number, Tensor>();
  for (const { name, value, from } of program.inputs) {
    const param = params.get(name);
    if (from !== "weights" || param!.trainable) continue;
    frozen.set(value, await weights.take(param!));
    taken.push(param!);
  }
  for (const { value, data } of program.constants) {
    if ("everywhere" in data) continue;
    const port = program.values[value]!;
    constants.push(tensor({ data, shape: port.shape as number[] }, port));
    frozen.set(value, constants.at(-1)!);
  }

  function bind(inputs: Readonly<Record<string, HostTensor>>, sizes: Sizes): Map<number, Tensor> {
    const live = new Map<number, Tensor>();
    for (const { name, value, from } of program.inputs) {
      if (frozen.has(value)) continue;
      const given = from === "call" ? inputs[name]! : (params.get(name) as Required<Param>);
      // A copy: back ends may keep the array that they are given, and this one changes.
      live.set(value, tensor({ data: given.data.slice(), shape: given.shape }, program.values[value]!));
    }
    for (const { value, data } of program.constants) {
      if (!("everywhere" in data)) continue;
      const { shape, dtype } = program.values[value]!;
      live.set(
        value,
        tf.fill(
          shape.map((size) => evaluate(size, sizes)),
          evaluate(data.everywhere, sizes),
          dtype,
        ),
      );
    }
    return live;
  }

  return {
    async run(inputs, sizes, into = {}) {
      const engine = tf.engine();
      engine.startScope();
      let live: Map<number, Tensor>;
      try {
        live = bind(inputs, sizes);
        for (const { call, done } of plan) {
          const results = await invoke(tf, call, (value) => live.get(value) ?? frozen.get(value)!, sizes);
          call.outputs.forEach((value, i) => void live.set(value, results[i]!));
          for (const value of done) {
            live.get(value)?.dispose();
            live.delete(value);
          }
        }
        const results: Record<string, { data: Data; shape: readonly number[] }> = {};
        for (const { name, value } of program.outputs) {
          const result = live.get(value) ?? frozen.get(value)!;
          const data = result.dataSync() as Data;
          const target = into[name];
          if (target && accumulate?.has(name)) for (let i = 0; i < data.length; i++) target[i] = target[i]! + data[i]!;
          else target?.set(data as Float32Array);
          results[name] = { data: target ?? data.slice(), shape: result.shape };
        }
        return results;
      } finally {
        engine.endScope();
      }
    },
    async release() {
      for (const tensor of constants.splice(0)) tensor.dispose();
      for (const param of taken.splice(0)) weights.giveBack(param);
    },
  };
}

async function invoke(
  tf: Tf,
  { kernel, inputs, attrs }: Call,
  at: (value: number) => Tensor,
  sizes: Sizes,
): Promise<Tensor[]> {
  const named = Object.fromEntries(Object.entries(inputs).map(([name, value]) => [name, at(value)]));
  // Kernels that take a list of tensors have the names 0, 1, …
  const given = "0" in named ? (Object.values(named) as unknown as typeof named) : named;
  const concrete = settle(attrs, sizes) as Record<string, unknown>;
  if (scriptedNames.includes(kernel)) return [await runScripted(tf, kernel, named, concrete)];
  type Attributes = Parameters<ReturnType<Tf["engine"]>["runKernel"]>[2];
  return [tf.engine().runKernel(kernel, given, concrete as Attributes)].flat() as Tensor[];
}

/** Attributes with every size as a number. */
function settle(value: unknown, sizes: Sizes): unknown {
  if (isExpression(value)) return evaluate(value as Size, sizes);
  if (Array.isArray(value)) return value.map((part) => settle(part, sizes));
  if (typeof value === "object" && value !== null) {
    return Object.fromEntries(Object.entries(value).map(([key, part]) => [key, settle(part, sizes)]));
  }
  return value;
}
