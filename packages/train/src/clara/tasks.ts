import { ClaraError, type Weights } from "@clara/core";
import type { Engine, LossFunction, Specs } from "@clara/engine";
import { adapterWeights } from "@clara/model";
import type { tf } from "@clara/tensor";
import type { Task } from "../recipe.ts";
import type { Batches } from "../train-steps.ts";
import { adapterNames, type ClaraParams, type ClaraShape, nestClara, type Role } from "./clara-params.ts";
import {
  type EndToEndLossOptions,
  endToEndLoss,
  type GenerationInputs,
  type GenerationLossOptions,
  generationLoss,
  type SelectionInputs,
  type StageLossOptions,
} from "./stage-losses.ts";

/** A CLaRa to train, and what with. */
export interface ClaraTaskOptions {
  /** Stays the caller's. */
  readonly engine: Engine;
  readonly shape: ClaraShape;
  /** The decoder, the rows of added tokens included, by our paths: of `decoderArrays`. It is frozen. */
  readonly base: Weights;
  /** By our paths: of `adapterArrays` or `freshAdapter`. */
  readonly adapters: { readonly [Name in Role]?: Weights };
  /** Of `claraBatches`. */
  readonly batches: Batches;
  /** Part of what the trained adapters read that is dropped; the reference's 0.1. @default 0 */
  readonly dropout?: number;
}

type Settings<Options> = ClaraTaskOptions & Omit<Options, "dropout">;

const documents = { shape: ["B", "N", "S"], dtype: "int32" } as const;
const prompt = { shape: ["B", "T"], dtype: "int32" } as const;
const labels = { shape: ["L"], dtype: "int32" } as const;
const question = { shape: ["B", "Q"], dtype: "int32" } as const;

const generationSpecs: Specs = {
  documents,
  documentMask: documents,
  prompt,
  promptMask: prompt,
  rows: labels,
  targets: labels,
  step: { shape: [], dtype: "int32" },
};
const selectionSpecs: Specs = {
  ...generationSpecs,
  question,
  questionMask: question,
  candidates: { shape: ["B", "N"], dtype: "int32" },
};

/**
 * Stage `compression`: compressor and generator learn together, with the memory tokens' rows of the embedding table, on questions
 * about one document or a paraphrase of it. The trained weights are both adapters and the table.
 *
 * @throws ClaraError "option" when an adapter is missing, and what the engine throws.
 */
export function compressionTask(options: Settings<GenerationLossOptions>): Promise<Task> {
  return generationTask("compressionTask", options, true);
}

/**
 * Stage `instruction`: compressor and generator learn to answer from several documents; the memory tokens' rows are frozen.
 * The reference begins it with a fresh generator.
 *
 * @throws ClaraError "option" when an adapter is missing, and what the engine throws.
 */
export function instructionTask(options: Settings<GenerationLossOptions>): Promise<Task> {
  return generationTask("instructionTask", options, false);
}

/**
 * Stage `endToEnd`: generator and query reasoner learn from answers alone, by selection; the compressor is frozen. Without an
 * adapter of its own the query reasoner begins as a copy of the compressor.
 *
 * @throws ClaraError "option" when an adapter is missing, and what the engine throws.
 */
export function endToEndTask({
  selected,
  temperature = 0.02,
  ...options
}: Settings<EndToEndLossOptions>): Promise<Task> {
  const { shape, adapters } = options;
  const query = adapters.query ?? adapters.compressor;
  return taskOf(
    "endToEndTask",
    { ...options, adapters: { ...adapters, ...(query && { query }) } },
    {
      trained: ["generator", "query"],
      frozen: ["compressor"],
      specs: selectionSpecs,
      leastSizes: { N: selected, S: shape.memoryTokens + 1, Q: shape.memoryTokens + 1 },
      loss: (params, inputs, dropout) =>
        endToEndLoss(params, inputs as SelectionInputs, shape, { selected, temperature, dropout }),
    },
  );
}

function generationTask(
  where: string,
  { alignmentWeight = 0.1, ...options }: Settings<GenerationLossOptions>,
  memoryRows: boolean,
): Promise<Task> {
  const { shape } = options;
  return taskOf(where, options, {
    trained: ["compressor", "generator"],
    frozen: [],
    memoryRows,
    specs: generationSpecs,
    leastSizes: { S: shape.memoryTokens + 1 },
    loss: (params, inputs, dropout) =>
      generationLoss(params, inputs as GenerationInputs, shape, { alignmentWeight, dropout }),
  });
}

interface StageParts {
  readonly trained: readonly Role[];
  readonly frozen: readonly Role[];
  readonly memoryRows?: boolean;
  readonly specs: Specs;
  readonly leastSizes: Readonly<Record<string, number>>;
  loss(
    params: ClaraParams,
    inputs: Parameters<LossFunction>[0],
    dropout: StageLossOptions["dropout"],
  ): ReturnType<LossFunction>;
}

async function taskOf(
  where: string,
  { engine, shape, base, adapters, batches, dropout: rate = 0 }: ClaraTaskOptions,
  { trained, frozen, memoryRows = false, specs, leastSizes, loss }: StageParts,
): Promise<Task> {
  const arraysOf = (roles: readonly Role[]): Weights =>
    Object.fromEntries(
      roles.flatMap((role) => {
        const arrays = adapters[role];
        if (!arrays) {
          throw new ClaraError(
            "option",
            `${where}: adapters.${role} is missing; this stage needs ${[...trained, ...frozen].join(", ")}`,
          );
        }
        return Object.entries(arrays).map(([path, array]) => [`${role}.${path}`, array]);
      }),
    );
  const trainable = { ...arraysOf(trained), ...(memoryRows && { memoryRows: rowsOf(where, base, shape) }) };
  const constant = { ...base, ...arraysOf(frozen) };
  const stores = await Promise.all([engine.params(constant), engine.params(trainable, { trainable: true })]);
  return {
    loss: ({ step, ...inputs }, tensors) =>
      loss(nestClara(tensors, shape), inputs, rate > 0 ? { rate, step: step as tf.Scalar } : undefined),
    specs,
    params: stores,
    leastSizes,
    batches,
    weights: (values) => checkpointOf(values as Weights, base, shape, trained),
  };
}

/** The memory tokens' rows of the embedding table, [M, D]. */
function rowsOf(
  where: string,
  { words }: Weights,
  { firstMemoryId, memoryTokens, decoder }: ClaraShape,
): Weights[string] {
  const [V = 0] = words?.shape ?? [];
  if (V < firstMemoryId + memoryTokens) {
    const needed = firstMemoryId + memoryTokens;
    throw new ClaraError(
      "option",
      `${where}: base.words must have rows for the memory tokens, ${needed} or more, got ${V}`,
    );
  }
  const D = decoder.width;
  const data = words!.data.slice(firstMemoryId * D, (firstMemoryId + memoryTokens) * D);
  return { shape: [memoryTokens, D], data };
}

/** What has been trained, by the names of a checkpoint of the reference: see `adapterNames`. */
function checkpointOf(
  values: Weights,
  { words }: Weights,
  { decoder, firstMemoryId }: ClaraShape,
  roles: readonly Role[],
): Weights {
  const adapters = roles.flatMap((role) => {
    const own = Object.entries(values).filter(([name]) => name.startsWith(`${role}.`));
    const arrays = Object.fromEntries(own.map(([name, array]) => [name.slice(role.length + 1), array]));
    const weights = Object.entries(adapterWeights(arrays, decoder));
    return weights.map(([name, array]) => [`${adapterNames[role]}/${name}`, array] as const);
  });
  const rows = values.memoryRows;
  if (!rows) return Object.fromEntries(adapters);
  const data = words!.data.slice();
  data.set(rows.data, firstMemoryId * decoder.width);
  return { ...Object.fromEntries(adapters), "model.embed_tokens.weight": { shape: words!.shape, data } };
}
