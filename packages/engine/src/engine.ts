import { availableParallelism } from "node:os";
import { ClaraError } from "@clara/core";
import type { tf } from "@clara/tensor";
import { chooseEngine } from "./backends/choose-engine.ts";
import { prepareEnvironment } from "./backends/environment.ts";
import { openChannel } from "./channel.ts";
import { type Compiled, type CompileOptions, compileWith } from "./compile.ts";
import { createDecoder, type Decoder, type DecoderOptions } from "./decoder.ts";
import { type EngineName, type EngineSettings, engineNames } from "./options.ts";
import { createParams, type Params, type ParamsOptions } from "./params.ts";
import type { HostTensors, ParamSource, Request, RequestKind, Requests } from "./protocol.ts";
import type { InputsOf, Specs } from "./specs.ts";
import { createTrainer, type LossFunction, type Trainer, type TrainerOptions } from "./trainer.ts";

export interface EngineOptions extends EngineSettings {
  /**
   * An engine by name: that one or an error. A list: the first of them that starts. "auto": whatever is best here.
   * @default "auto"
   */
  readonly prefer?: EngineName | "auto" | readonly EngineName[];
}

export interface RunOptions {
  readonly signal?: AbortSignal | undefined;
}

/** A function that is compiled: TensorFlow.js's operations, over inputs and parameters by name. */
export type TensorFunction<Outputs = tf.TensorContainer, Inputs = Record<string, tf.Tensor>> = (
  inputs: Inputs,
  params: Record<string, tf.Tensor>,
) => Outputs;

/** A worker thread that runs TensorFlow.js functions. Its creator calls `dispose`. */
export interface Engine {
  readonly name: EngineName;
  /** Versions and devices, for people. */
  readonly details: string;
  /** Engines that were preferred and did not start, and why. */
  readonly passedOver: readonly { readonly name: EngineName; readonly reason: string }[];
  /**
   * Compiles a function: calls it with tensors that have no values, and writes down what it does.
   *
   * @throws ClaraError "engine" when the function does what cannot be compiled, with the line of it.
   */
  compile<Outputs extends tf.TensorContainer, const S extends Specs>(
    fn: TensorFunction<Outputs, InputsOf<S>>,
    specs: S,
    options?: CompileOptions,
  ): Promise<Compiled<Outputs>>;
  /**
   * Parameters that live in the worker: one copy for all functions that use them. Those of a safetensors file stay in it:
   * it is mapped, and processes share its pages.
   *
   * @throws ClaraError "weights" for NaN, infinity, and a file that is foreign, damaged or cut off; "io" when it cannot be read.
   */
  params(source: HostTensors | ParamSource, options?: ParamsOptions): Promise<Params>;
  /** Compiles a loss together with its gradient and an optimizer. */
  trainer<const S extends Specs>(loss: LossFunction<InputsOf<S>>, specs: S, options: TrainerOptions): Promise<Trainer>;
  /**
   * Compiles one step of a model that writes token by token.
   *
   * @throws ClaraError as `compile`, and "shape" when the step does not return what it must.
   */
  decoder(options: DecoderOptions): Promise<Decoder>;
  /** Ends the worker; unfinished runs are rejected with ClaraError "engine". */
  dispose(): Promise<void>;
}

/** How the parts of an engine talk to its worker. */
export interface Connection {
  readonly engine: EngineName;
  request<K extends RequestKind>(
    kind: K,
    ask: () => Requests[K]["ask"],
    options?: RunOptions & {
      readonly part?: (value: unknown) => void;
      readonly transfer?: (ask: Requests[K]["ask"]) => ArrayBuffer[];
    },
  ): Promise<Requests[K]["answer"]>;
  /** A number for something new in the worker. */
  nextId(): number;
}

/**
 * Starts an engine in a worker thread, which does not keep the process alive when idle.
 *
 * @throws ClaraError "engine" when none of the preferred engines starts, "option" for impossible settings.
 */
export async function createEngine({ prefer = "auto", ...settings }: EngineOptions = {}): Promise<Engine> {
  const threads = settings.threads ?? Math.min(4, availableParallelism());
  if (!Number.isInteger(threads) || threads < 1) {
    throw new ClaraError("option", `createEngine: threads must be an integer of at least 1, got ${threads}`);
  }
  const unknown = [prefer].flat().find((name) => name !== "auto" && !engineNames.includes(name));
  if (unknown !== undefined) {
    throw new ClaraError(
      "option",
      `createEngine: prefer must be among auto, ${engineNames.join(", ")}; got ${unknown}`,
    );
  }
  if (!["cpu", "cuda"].includes(settings.provider ?? "cpu")) {
    throw new ClaraError("option", `createEngine: provider must be cpu or cuda, got ${settings.provider}`);
  }
  const { engine, passedOver } = await chooseEngine(prefer, (name) => start(name, { ...settings, threads }));
  return { ...engine, passedOver };
}

/** The last number given away: one count for all engines, so that what is another engine's is never found by its number. */
let ids = 0;

async function start(name: EngineName, settings: EngineSettings): Promise<Omit<Engine, "passedOver">> {
  // From sources the worker is TypeScript too; a bundle has it beside the file that this line ends up in.
  const file = import.meta.url.endsWith(".ts") ? "./worker.ts" : "./worker.js";
  if (name !== "compiled") prepareEnvironment(name);
  const channel = openChannel(new URL(file, import.meta.url), `engine ${name}`);
  const connection: Connection = {
    engine: name,
    nextId: () => ++ids,
    request: (kind, ask, { signal, part, transfer } = {}) =>
      channel.request(
        () => {
          const body = ask();
          return { message: { kind, ...body } as Request, transfer: transfer?.(body) ?? [] };
        },
        signal,
        part,
      ) as Promise<Requests[typeof kind]["answer"]>,
  };
  try {
    const { details } = await connection.request("open", () => ({ engine: name, settings }));
    return {
      name,
      details,
      compile: (fn, specs, options) =>
        compileWith(
          connection,
          fn as TensorFunction<typeof fn extends TensorFunction<infer O, never> ? O : never>,
          specs,
          options,
        ),
      params: (source, options) => createParams(connection, source, options),
      trainer: (loss, specs, options) => createTrainer(connection, loss as LossFunction, specs, options),
      decoder: (options) => createDecoder(connection, options),
      dispose: () => channel.close(),
    };
  } catch (error) {
    await channel.close();
    throw error;
  }
}
