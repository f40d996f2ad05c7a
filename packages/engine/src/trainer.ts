import { ClaraError } from "@clara/core";
import { tf } from "@clara/tensor";
import type { Connection, RunOptions } from "./engine.ts";
import { adamW } from "./optimizer/adam-w.ts";
import { joinParams, type Params } from "./params.ts";
import type { HostTensors, OptimizerState, StepRates } from "./protocol.ts";
import type { Sizes } from "./size.ts";
import { bindSizes, type Specs } from "./specs.ts";
import { programOf } from "./trace/program-of.ts";

/** A loss: one number, or a record with `loss` and whatever else is to be seen of each batch. */
export type LossFunction = (
  inputs: Record<string, tf.Tensor>,
  params: Record<string, tf.Tensor>,
) => tf.Tensor | (Record<string, tf.Tensor> & { loss: tf.Tensor });

export interface TrainerOptions {
  /** Those that are trainable are trained. */
  readonly params: Params | readonly Params[];
  /** A parameter's share of the learning rate; 0 freezes it. @default 1 for all */
  readonly rate?: (name: string, shape: readonly number[]) => number;
  /** A parameter's share of the weight decay. @default 1 for matrices, 0 for vectors (biases, norms) */
  readonly decay?: (name: string, shape: readonly number[]) => number;
  readonly leastSizes?: Sizes;
}

export interface StepOptions extends Partial<Omit<StepRates, "learningRate">> {
  /** This step's rate, of whatever schedule. */
  readonly learningRate: number;
}

/** A loss with its gradient and the optimizer's state, in an engine's worker. */
export interface Trainer {
  /**
   * Computes the loss of a batch and adds its gradients to those since the last step.
   *
   * @returns the loss, and the other outputs of the loss function.
   */
  accumulate(
    inputs: HostTensors,
    options?: RunOptions,
  ): Promise<{ readonly loss: number; readonly outputs: HostTensors }>;
  /**
   * One step of AdamW with the gradients so far, then forgets them.
   *
   * @returns the gradient's global norm before clipping, and the number of the step, from 1.
   * @throws ClaraError "engine" when there are no gradients or their norm is not finite: then nothing has changed.
   * @see Loshchilov and Hutter 2019, "Decoupled Weight Decay Regularization". https://arxiv.org/abs/1711.05101
   */
  step(options: StepOptions): Promise<{ readonly norm: number; readonly step: number }>;
  /** The optimizer's memory. With the parameters' numbers it is all that is needed to go on, bit for bit. */
  state(): Promise<OptimizerState>;
  restore(state: OptimizerState): Promise<void>;
  dispose(): Promise<void>;
}

export async function createTrainer(
  connection: Connection,
  loss: LossFunction,
  specs: Specs,
  { params, rate = () => 1, decay = (_, shape) => (shape.length > 1 ? 1 : 0), leastSizes }: TrainerOptions,
): Promise<Trainer> {
  const stores = [params].flat() as Params[];
  const weights = joinParams("engine.trainer", stores);
  const trained = stores.flatMap(({ trainable, shapes }) =>
    trainable ? Object.keys(shapes).filter((name) => rate(name, shapes[name]!.shape) !== 0) : [],
  );
  if (trained.length === 0) throw new ClaraError("option", "engine.trainer: no parameter is trainable");
  const kernelSet = connection.engine === "compiled" ? "fused" : "composed";
  const { program } = await programOf(withGradients(loss, trained), specs, { weights, kernelSet, leastSizes });
  const { program: update } = await programOf(adamW.fn, adamW.specs, { weights: {}, kernelSet });
  const reached = new Set(program.outputs.map(({ name }) => name));
  const idle = trained.find((name) => !reached.has(`gradient.${name}`));
  if (idle !== undefined) {
    throw new ClaraError(
      "option",
      `engine.trainer: the loss does not depend on ${idle}; leave it out of the trainable parameters, or give it rate 0`,
    );
  }
  const groups = Object.fromEntries(
    Object.entries(weights).map(([name, { shape }]) => [name, { rate: rate(name, shape), decay: decay(name, shape) }]),
  );
  const id = connection.nextId();
  await connection.request("trainer", () => ({
    id,
    program,
    update,
    groups,
    params: stores.map((store) => store.id),
    options: { prepack: true },
  }));
  return {
    async accumulate(inputs, { signal } = {}) {
      const sizes = bindSizes("trainer.accumulate", specs, inputs);
      const { loss, ...outputs } = await connection.request("accumulate", () => ({ id, inputs, sizes }), { signal });
      return { loss: loss!.data[0]!, outputs };
    },
    step({ learningRate, beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8, weightDecay = 0.01, clipNorm = Infinity, divisor = 1 }) {
      const rates = { learningRate, beta1, beta2, epsilon, weightDecay, clipNorm, divisor };
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
}

/** The loss as a function that also returns `gradient.<name>` for each parameter that it depends on. */
function withGradients(loss: LossFunction, trained: readonly string[]) {
  return (inputs: Record<string, tf.Tensor>, params: Record<string, tf.Tensor>): Record<string, tf.Tensor> => {
    let outputs: Record<string, tf.Tensor> = {};
    const variables = trained.map((name) => params[name]!);
    const { value, grads } = tf.engine().gradients(
      () => {
        const result = loss(inputs, params);
        const { loss: value, ...others } = result instanceof tf.Tensor ? { loss: result } : result;
        // What is returned beside the loss would be freed with the forward pass.
        outputs = Object.fromEntries(Object.entries(others).map(([name, tensor]) => [name, tf.keep(tensor)]));
        if (value.size !== 1) {
          throw new ClaraError("shape", `engine.trainer: the loss must be one number, got [${value.shape}]`);
        }
        return tf.reshape(value, []);
      },
      variables,
      undefined,
      true,
    );
    const gradients = trained.flatMap((name, i) => (grads[i] ? [[`gradient.${name}`, grads[i]]] : []));
    const seen = Object.entries(outputs).map(([name, kept]) => {
      const copy = tf.clone(kept);
      kept.dispose();
      return [name, copy];
    });
    return { loss: value, ...Object.fromEntries(seen), ...Object.fromEntries(gradients) };
  };
}
