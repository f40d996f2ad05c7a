import { ClaraError } from "@clara/core";
import { tf } from "@clara/tensor";
import type { Connection, RunOptions } from "./engine.ts";
import { checkRates, type StepOptions } from "./optimizer/step-options.ts";
import { joinParams, type Params } from "./params.ts";
import type { Groups, HostTensors, OptimizerState, Prepack } from "./protocol.ts";
import type { Sizes } from "./size.ts";
import { bindSizes, type Specs } from "./specs.ts";
import { programOf } from "./trace/program-of.ts";

/** A loss: one number, or a record with `loss` and whatever else is to be seen of each batch. */
export type LossFunction<Inputs = Record<string, tf.Tensor>> = (
  inputs: Inputs,
  params: Record<string, tf.Tensor>,
) => tf.Tensor | (Record<string, tf.Tensor> & { loss: tf.Tensor });

export interface TrainerOptions {
  /** Those that are trainable are trained. */
  readonly params: Params | readonly Params[];
  /**
   * A parameter's share of the learning rate. 0 freezes it: it gets no gradient, no part in the norm, no decay and no
   * place in the state. Asked once, when the trainer is made.
   * @default 1 for all
   */
  readonly rate?: (name: string, shape: readonly number[]) => number;
  /** A parameter's share of the weight decay. @default 1 for matrices, 0 for vectors (biases, norms) */
  readonly decay?: (name: string, shape: readonly number[]) => number;
  /** As for `compile`: copies frozen parameters into the order that is read fastest. @default true, "packed" when a file is mapped */
  readonly prepack?: Prepack;
  /** Least size of a name, where the loss cannot be traced with a few (`topk` needs at least k). */
  readonly leastSizes?: Sizes;
}

/** A loss with its gradient and the optimizer's state, in an engine's worker. */
export interface Trainer {
  /**
   * Computes the loss of a batch and adds its gradients to those since the last step.
   *
   * When it fails or is aborted, all gradients since the last step are forgotten.
   *
   * @returns the loss, and the other outputs of the loss function.
   * @throws ClaraError "shape" when inputs are not as specified, "aborted" as soon as the signal fires, "engine" when the
   *   run fails or the worker has ended.
   */
  accumulate(
    inputs: HostTensors,
    options?: RunOptions,
  ): Promise<{ readonly loss: number; readonly outputs: HostTensors }>;
  /**
   * One step of AdamW with the gradients so far, then forgets them.
   *
   * @returns the gradient's norm after the division and before clipping, and the number of the step, from 1.
   * @throws ClaraError "option" for impossible rates, "engine" when there are no gradients or their norm is not finite:
   *   parameters, moments and the number of steps are then as before, and the gradients forgotten.
   * @see Loshchilov and Hutter 2019, "Decoupled Weight Decay Regularization". https://arxiv.org/abs/1711.05101
   */
  step(options: StepOptions): Promise<{ readonly norm: number; readonly step: number }>;
  /**
   * The optimizer's memory: two moments for each trained parameter and the number of steps. With the parameters' numbers
   * it is all that is needed to go on, bit for bit. Gradients since the last step are not in it.
   */
  state(): Promise<OptimizerState>;
  /**
   * Goes on from a state, without any gradients.
   *
   * @throws ClaraError "shape" or "option" when it is not that of these parameters, "weights" for numbers that no step
   *   can have left; then nothing has changed.
   */
  restore(state: OptimizerState): Promise<void>;
  /** Frees gradients, moments and graphs; the parameters stay. */
  dispose(): Promise<void>;
}

export async function createTrainer(
  connection: Connection,
  loss: LossFunction,
  specs: Specs,
  { params, rate = () => 1, decay = (_, shape) => (shape.length > 1 ? 1 : 0), prepack, leastSizes }: TrainerOptions,
): Promise<Trainer> {
  const stores = [params].flat() as Params[];
  const weights = joinParams("engine.trainer", stores);
  const groups: Groups = Object.fromEntries(
    stores
      .flatMap(({ trainable, shapes }) => (trainable ? Object.entries(shapes) : []))
      .map(
        ([name, { shape }]) =>
          [name, { rate: share("rate", name, rate, shape), decay: share("decay", name, decay, shape) }] as const,
      )
      .filter(([, group]) => group.rate > 0),
  );
  const trained = Object.keys(groups);
  if (trained.length === 0) {
    throw new ClaraError("option", "engine.trainer: no parameter is trainable with a rate above 0");
  }
  const { program } = await programOf(withGradients(loss, trained), specs, {
    weights,
    kernelSet: connection.engine === "compiled" ? "training" : "composed",
    leastSizes,
  });
  const reached = new Set(program.outputs.map(({ name }) => name));
  const idle = trained.filter((name) => !reached.has(`gradient.${name}`));
  if (idle.length > 0) {
    throw new ClaraError(
      "option",
      `engine.trainer: the loss does not depend on ${idle.join(", ")}; leave it out of the trainable parameters, or give it rate 0`,
    );
  }
  const id = connection.nextId();
  await connection.request("trainer", () => ({
    id,
    program,
    groups,
    params: stores.map((store) => store.id),
    options: { prepack: prepack ?? (stores.some(({ mapped }) => mapped) ? "packed" : true) },
  }));
  return {
    async accumulate(inputs, { signal } = {}) {
      const sizes = bindSizes("trainer.accumulate", specs, inputs);
      try {
        const { loss, ...outputs } = await connection.request("accumulate", () => ({ id, inputs, sizes }), { signal });
        return { loss: loss!.data[0]!, outputs };
      } catch (error) {
        // The worker may be at it: what it has added by then is to be forgotten too.
        if (error instanceof ClaraError && error.code === "aborted") void forget();
        throw error;
      }
    },
    async step(options) {
      const rates = checkRates(options);
      return connection.request("step", () => ({ id, rates }));
    },
    state: () => connection.request("state", () => ({ id })),
    restore: async (state) => {
      await connection.request("restore", () => ({ id, state }));
    },
    async dispose() {
      await connection.request("release", () => ({ id }));
    },
  };

  function forget(): Promise<unknown> {
    // A worker that has ended has nothing to forget.
    return connection.request("forget", () => ({ id })).catch(() => {});
  }
}

function share(
  kind: "rate" | "decay",
  name: string,
  of: (name: string, shape: readonly number[]) => number,
  shape: readonly number[],
): number {
  const value = of(name, shape);
  if (value >= 0 && value < Infinity) return value;
  throw new ClaraError("option", `engine.trainer: ${kind} of ${name} must be a number of at least 0, got ${value}`);
}

/** The loss as a function that also returns `gradient.<name>` for each parameter that it depends on. */
function withGradients(loss: LossFunction, trained: readonly string[]) {
  return (inputs: Record<string, tf.Tensor>, params: Record<string, tf.Tensor>): Record<string, tf.Tensor> => {
    let seen: [string, tf.Tensor][] = [];
    const { value, grads } = tf.engine().gradients(
      () => {
        const result = loss(inputs, params);
        const { loss: value, ...others } = result instanceof tf.Tensor ? { loss: result } : result;
        if (!(value instanceof tf.Tensor) || value.size !== 1) {
          const got = value instanceof tf.Tensor ? `[${value.shape}]` : typeof value;
          throw new ClaraError("shape", `engine.trainer: the loss must be one number, got ${got}`);
        }
        // What is returned beside the loss would be freed with the forward pass.
        seen = Object.entries(others).map(([name, tensor]) => [name, tf.keep(tf.clone(tensor))]);
        return tf.reshape(value, []);
      },
      trained.map((name) => params[name]!),
      undefined,
      true,
    );
    const foreign = seen.find(([name]) => name.startsWith("gradient."))?.[0];
    if (foreign !== undefined) {
      throw new ClaraError(
        "option",
        `engine.trainer: an output cannot be named ${foreign}; gradient.… are the trainer's own`,
      );
    }
    const outputs = seen.map(([name, kept]) => {
      const copy = tf.clone(kept);
      kept.dispose();
      return [name, copy] as const;
    });
    const gradients = trained.flatMap((name, i) => (grads[i] ? [[`gradient.${name}`, grads[i]] as const] : []));
    return { loss: value, ...Object.fromEntries([...outputs, ...gradients]) };
  };
}
