import type { InferenceSession, Tensor } from "onnxruntime-node";
import { guarded } from "../exit-guard.ts";
import { lower } from "../onnx/lower.ts";
import type { Place } from "../onnx/model.ts";
import type { EngineSettings } from "../options.ts";
import type { Data, Dtype, Program } from "../program.ts";
import { evaluate } from "../size.ts";
import type { Loaded, Param, Runner } from "./runner.ts";

type Ort = typeof import("onnxruntime-node");

/** Runs programs as ONNX graphs in ONNX Runtime. */
export async function ortRunner(settings: EngineSettings): Promise<Runner> {
  const ort = await load();
  ort.env.logLevel = "fatal";
  const { threads = 1, provider = "cpu" } = settings;
  return {
    details: `ONNX Runtime ${ort.env.versions.node ?? ""} on ${provider}, ${threads} threads`.replace("  ", " "),
    async load(program, params, { prepack, roundInputs, accumulate }) {
      const folder = [...params.values()].find(({ file }) => file)?.file?.folder;
      // On a GPU everything that is frozen should already be there.
      const shared = provider !== "cpu" ? new Set<string>() : prepack === true ? lookedUp(program) : floats(program);
      const prepacks = prepack === true || (prepack === "packed" && scalesOf(program).size > 0);
      const weight = (name: string): Place | undefined => placeOf(params.get(name)!, shared.has(name));
      const { model, externalData } = lower(program, { weight, accumulate, roundInputs });
      const options: InferenceSession.SessionOptions = {
        executionProviders: [provider],
        externalData: [...externalData],
        intraOpNumThreads: threads,
        interOpNumThreads: 1,
        logSeverityLevel: 4,
        enableMemPattern: settings.memoryPattern ?? false,
        enableCpuMemArena: settings.arena ?? true,
        extra: {
          session: {
            // Threads of a session that is done would go on looking for work while another's wait for a core.
            force_spinning_stop: "1",
            ...(!prepacks && { disable_prepacking: "1" }),
            ...(folder && { model_external_initializers_file_folder_path: folder }),
          },
        },
      };
      const session = await guarded(() => ort.InferenceSession.create(model, options));
      return loaded(ort, session, program, params);
    },
  };
}

function loaded(ort: Ort, session: InferenceSession, program: Program, params: ReadonlyMap<string, Param>): Loaded {
  const fed = new Set(session.inputNames);
  // The arrays of parameters never move: what wraps them is made once.
  const weights = program.inputs
    .filter(({ name, from }) => from === "weights" && fed.has(`weight.${name}`))
    .map(({ name }): [string, Tensor] => {
      const { shape, dtype, data } = params.get(name)!;
      return [`weight.${name}`, new ort.Tensor(dtype, data as Float32Array, shape)];
    });
  const dtypes = new Map(program.inputs.map(({ name, value }) => [name, program.values[value]!.dtype]));
  return {
    async run(inputs, sizes, into = {}) {
      const feeds: Record<string, Tensor> = Object.fromEntries(weights);
      for (const [name, { data, shape }] of Object.entries(inputs)) {
        if (fed.has(`in.${name}`)) feeds[`in.${name}`] = tensor(ort, dtypes.get(name)!, data, shape);
      }
      const fetches: Record<string, Tensor> = {};
      const results: Record<string, { data: Data; shape: number[] }> = {};
      for (const { name, value } of program.outputs) {
        const { dtype } = program.values[value]!;
        const shape = program.values[value]!.shape.map((size) => evaluate(size, sizes));
        // Own memory for results: that of ONNX Runtime could not be moved to another thread.
        const data = into[name] ?? make(dtype, shape);
        results[name] = { data, shape };
        fetches[`out.${name}`] = tensor(ort, dtype, data, shape);
        if (fed.has(`add.${name}`)) feeds[`add.${name}`] = tensor(ort, dtype, data, shape);
      }
      await guarded(() => session.run(feeds, fetches));
      return results;
    },
    release: () => guarded(() => session.release()),
  };
}

/**
 * Weights of which only single rows are read, such as a table of word embeddings. Fed at each run, all sessions share the
 * one array; as a part of the session each would have its copy, and be none the faster.
 */
function lookedUp({ inputs, calls }: Program): Set<string> {
  const others = new Set(
    calls.flatMap(({ kernel, inputs }) => (kernel === "GatherV2" ? [inputs.indices!] : Object.values(inputs))),
  );
  return new Set(inputs.filter(({ from, value }) => from === "weights" && !others.has(value)).map(({ name }) => name));
}

/**
 * Weights that are held once where nothing is prepacked: a session would copy what is a part of it. Packed weights stay a
 * part: their bytes and scales are put in order together.
 */
function floats(program: Program): Set<string> {
  const scales = scalesOf(program);
  const found = program.inputs.filter(
    ({ from, value }) => from === "weights" && program.values[value]!.dtype === "float32" && !scales.has(value),
  );
  return new Set(found.map(({ name }) => name));
}

/** Values that are scales of packed weights. */
function scalesOf({ calls }: Program): Set<number> {
  return new Set(calls.flatMap(({ kernel, inputs }) => (kernel === "ClaraMatMulNBits" ? [inputs.scales!] : [])));
}

function placeOf({ trainable, data, file }: Param, shared: boolean): Place | undefined {
  if (trainable || (shared && data)) return undefined;
  if (file) return { kind: "file", location: file.location, offset: file.offset, length: file.length };
  return { kind: "memory", data: new Uint8Array(data!.buffer, data!.byteOffset, data!.byteLength) };
}

function tensor(ort: Ort, dtype: Dtype, data: Data, shape: readonly number[]): Tensor {
  return new ort.Tensor(dtype, data as Float32Array, shape);
}

function make(dtype: Dtype, shape: readonly number[]): Data {
  const size = shape.reduce((a, b) => a * b, 1);
  if (dtype === "int32") return new Int32Array(size);
  return dtype === "bool" ? new Uint8Array(size) : new Float32Array(size);
}

async function load(): Promise<Ort> {
  try {
    return await import("onnxruntime-node");
  } catch (error) {
    const advice = "install onnxruntime-node again on this machine (it has libraries for Linux, macOS and Windows)";
    const reason = error instanceof Error ? error.message : String(error);
    throw new Error(`onnxruntime-node cannot load on ${process.platform}-${process.arch}: ${reason}; ${advice}`);
  }
}
