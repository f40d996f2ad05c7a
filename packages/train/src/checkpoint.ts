import { ClaraError } from "@clara/core";
import type { HostTensors } from "@clara/engine";
import { readSafetensors, type SafeTensor, writeSafetensors } from "@clara/model";
import type { TrainingState } from "./train-steps.ts";

/** All that a run needs to go on: the trained parameters and `TrainingState`. */
export interface Checkpoint extends TrainingState {
  /** Names what was trained with what: a checkpoint fits only a run of the same. */
  readonly recipe: string;
  readonly params: HostTensors;
}

const format = "clara-checkpoint-1";

/** A checkpoint as the bytes of a safetensors file: `params.<name>`, `first.<name>`, `second.<name>`. */
export function encodeCheckpoint({ recipe, params, step, position, optimizer }: Checkpoint): Uint8Array {
  const tensors: Record<string, SafeTensor> = {};
  const add = (name: string, data: Float32Array, shape: readonly number[]): void => {
    tensors[name] = { dtype: "F32", shape, bytes: new Uint8Array(data.buffer, data.byteOffset, data.byteLength) };
  };
  for (const [name, { data, shape }] of Object.entries(params)) add(`params.${name}`, data as Float32Array, shape);
  for (const [name, { first, second }] of Object.entries(optimizer.moments)) {
    add(`first.${name}`, first, [first.length]);
    add(`second.${name}`, second, [second.length]);
  }
  const state = JSON.stringify({ recipe, step, position, optimizerStep: optimizer.step });
  return writeSafetensors(tensors, { format, state });
}

/**
 * @param recipe what the run is: that of the file must be equal.
 * @throws ClaraError "weights" when the bytes are damaged or no checkpoint, "option" when it is another recipe's.
 */
export function decodeCheckpoint(bytes: Uint8Array, recipe: string): Checkpoint {
  const { metadata, tensors } = readSafetensors(bytes);
  if (metadata.format !== format || metadata.state === undefined) {
    throw new ClaraError(
      "weights",
      `decodeCheckpoint: not a training checkpoint (format ${metadata.format ?? "none"})`,
    );
  }
  const state = parseState(metadata.state);
  if (state.recipe !== recipe) {
    throw new ClaraError(
      "option",
      `decodeCheckpoint: the checkpoint is of "${state.recipe}", this run is "${recipe}"; resume with its own recipe, or start anew in another folder`,
    );
  }
  // Copies: views would not be aligned, and would keep the file's bytes.
  const numbers = (name: string): Float32Array => {
    const tensor = tensors[name];
    if (tensor?.dtype !== "F32") throw damaged(tensor ? `${name} is not of float32` : `${name} is missing`);
    // Not `slice`: a Buffer's gives a view of the whole file.
    return new Float32Array(new Uint8Array(tensor.bytes).buffer);
  };
  const of = (kind: string): string[] =>
    Object.keys(tensors).flatMap((name) => (name.startsWith(`${kind}.`) ? [name.slice(kind.length + 1)] : []));
  const params = Object.fromEntries(
    of("params").map((name) => [name, { data: numbers(`params.${name}`), shape: tensors[`params.${name}`]!.shape }]),
  );
  const moments = Object.fromEntries(
    of("first").map((name) => [name, { first: numbers(`first.${name}`), second: numbers(`second.${name}`) }]),
  );
  const { step, position, optimizerStep } = state;
  return { recipe, params, step, position, optimizer: { step: optimizerStep, moments } };
}

/** The numbers beside the tensors. */
interface State extends Pick<Checkpoint, "recipe" | "step" | "position"> {
  readonly optimizerStep: number;
}

function parseState(text: string): State {
  let state: State;
  try {
    state = JSON.parse(text);
    const { step, position, optimizerStep } = state;
    const counts = [step, position.epoch, position.cursor, optimizerStep];
    if (counts.every((count) => Number.isSafeInteger(count) && count >= 0)) return state;
  } catch (cause) {
    throw damaged(`its state is ${text.slice(0, 40)}`, cause);
  }
  throw damaged(`its state is ${text.slice(0, 40)}`);
}

function damaged(what: string, cause?: unknown): ClaraError {
  return new ClaraError("weights", `decodeCheckpoint: the checkpoint is damaged: ${what}`, { cause });
}
