import { ClaraError } from "@clara/core";
import { tf } from "@clara/tensor";
import type { Dtype, Input, Program } from "../program.ts";
import { prune } from "../program.ts";
import { type KernelSet, recordWith, symbolicTensor, valueBehind } from "./backend.ts";
import { createRecording } from "./recording.ts";

/** What a traced function is given and gives back. */
export interface Traceable {
  readonly fn: (inputs: Record<string, tf.Tensor>, weights: Record<string, tf.Tensor>) => tf.TensorContainer;
  readonly inputs: Readonly<Record<string, Concrete>>;
  readonly weights: Readonly<Record<string, Concrete>>;
  /** Whether operations of `@clara/tensor` are kernels of their own, or composed of TensorFlow.js's. @default "fused" */
  readonly kernelSet?: KernelSet;
}

interface Concrete {
  readonly shape: readonly number[];
  readonly dtype: Dtype;
}

/** How outputs are put together: a tensor's place in `Program.outputs`, or a list or record of such. */
export type Structure = number | readonly Structure[] | { readonly [key: string]: Structure };

/**
 * Calls `fn` once with tensors that have a shape and no values, and writes down the kernels that it runs.
 *
 * @throws ClaraError "engine" for what cannot be recorded: an operation without a kernel here, a random operation,
 *   a read of values, an async function; with the line that called it.
 */
export function trace({ fn, inputs, weights, kernelSet = "fused" }: Traceable): {
  program: Program;
  structure: Structure;
} {
  const recording = createRecording();
  return recordWith(recording, kernelSet, () => {
    const ports: Input[] = [];
    const bind = (from: Input["from"], given: Readonly<Record<string, Concrete>>): Record<string, tf.Tensor> =>
      Object.fromEntries(
        Object.entries(given).map(([name, { shape, dtype }]) => {
          const value = recording.values.add(shape, dtype);
          ports.push({ name, value, from });
          return [name, symbolicTensor(value, { shape, dtype })];
        }),
      );
    const result = fn(bind("call", inputs), bind("weights", weights));
    const outputs: { name: string; value: number }[] = [];
    const structure = take(result, "", outputs);
    const program = prune({
      values: recording.values.all(),
      inputs: ports,
      constants: recording.constants,
      calls: recording.calls,
      outputs,
    });
    return { program, structure };
  });
}

function take(result: unknown, name: string, outputs: { name: string; value: number }[]): Structure {
  if (result instanceof tf.Tensor) return outputs.push({ name: name || "output", value: valueBehind(result) }) - 1;
  const join = (key: string | number): string => (name ? `${name}.${key}` : `${key}`);
  if (Array.isArray(result)) return result.map((part, i) => take(part, join(i), outputs));
  if (result instanceof Promise) {
    result.catch(() => {}); // it goes on without its tensors, and fails
    throw new ClaraError("engine", "compile: the function must not be async; it is called once, to be traced");
  }
  if (typeof result === "object" && result !== null && Object.getPrototypeOf(result) === Object.prototype) {
    return Object.fromEntries(Object.entries(result).map(([key, part]) => [key, take(part, join(key), outputs)]));
  }
  const what = name ? `"${name}" of the function's result` : "the function's result";
  throw new ClaraError("engine", `compile: ${what} must be a tensor or a list or record of them, got ${typeof result}`);
}
