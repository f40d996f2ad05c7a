import { existsSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type Compressor, createCompressor, type MemoryBits, maxCosine, type NearToken } from "@clara/compressor";
import { ClaraError, type Context, type Generator, type Weights } from "@clara/core";
import type { Engine } from "@clara/engine";
import { type MemoryReader, memoryReader, quoteGenerator, spanHead, windowChooser } from "@clara/generator";
import { type Calibration, mini } from "@clara/mini";
import { bertEmbeddings, bertEncoder, type Encoder, parseBertConfig, readWeights, wordPiece } from "@clara/model";
import { readClaraFolder } from "./clara-folder.ts";
import { claraModel } from "./clara-model.ts";
import type { RagConfig } from "./config/index.ts";
import { textByEndpoint, type Variable } from "./endpoint-generator.ts";
import { type OpenEngineOptions, openEngine } from "./engine.ts";
import { readConfig } from "./import/small-files.ts";
import { documentSideOf } from "./memory-id.ts";
import { type ModelFolder, readModelFolder } from "./model-folder.ts";
import { once } from "./once.ts";
import type { Closeness, SupportFit } from "./rerank.ts";

/** Everything that depends on which weights are loaded. */
export interface Model {
  /** Name and content hash. */
  readonly id: string;
  /** Of what documents are compressed with: packs made by another are refused. Readers may change without it. */
  readonly memoryId: string;
  readonly tokenizer: { readonly id: string; count(text: string): number };
  /** Tokens of one passage at most: what the model reads at once, less room for a title. */
  readonly passageTokens: number;
  /** Width `d` of memories. */
  readonly width: number;
  /** Bits of one number of a memory, in packs and wherever else memories are kept. */
  readonly memoryBits: MemoryBits;
  readonly compressor: Compressor;
  /** How memories are compared with a question. */
  readonly closeness: Closeness;
  readonly generator: Generator;
  /** What it answers from. */
  readonly contexts: readonly Context[];
  /** Reads memories without their text, where the model can. */
  readonly memories: MemoryReader | undefined;
  readonly support: SupportFit;
  /** Whether scores of passages and confidences of answers are probabilities, so that a threshold for them means something. */
  readonly calibrated: { readonly scores: boolean; readonly confidence: boolean };
  /** What the vectors of a question mean, where words can be named for them. */
  readonly lens: Lens | undefined;
  /** Where it runs. */
  readonly engine: Pick<Engine, "name" | "details" | "passedOver">;
  dispose(): Promise<void>;
}

/** The words nearest to each vector of a question. */
export interface Lens {
  /** @param states of `compressor.query`. @returns [M] lists, best first */
  near(states: Float32Array, options: { readonly top: number; readonly table: LensTable }): NearWord[][];
  /** Whether questions have an adapter of their own; otherwise they are read as documents are. */
  readonly ownAdapter: boolean;
}

/** The table that vectors are compared with: of the words that are written, or of those that are read. */
export type LensTable = "output" | "input";

export interface NearWord extends NearToken {
  readonly word: string;
}

/** A text that was longer than the model reads: its end is in no memory. */
export interface CutText {
  readonly text: string;
  /** Counted up to 1,000. */
  readonly lostTokens: number;
}

export interface LoadModelOptions extends OpenEngineOptions {
  /** Told how many texts were read, and which of them lost their ends; the embedded model reads all of every text. */
  readonly onRead?: ((texts: number, cut: readonly CutText[]) => void) | undefined;
  /** The embedded model's folder. @default in @clara/mini */
  readonly embedded?: string;
  /** Environment variables: `generation.endpoint` may name one for its key. @default none is set */
  readonly variable?: Variable;
}

/**
 * Loads the model that the configuration names into an engine: the embedded one and those of `train` (two transformers over one
 * table of words, and a small reader of memories), or a CLaRa of `import` (one decoder in three roles). Where the configuration
 * has an endpoint, its model writes the answers.
 *
 * @throws ClaraError "config" for a model that is not here, "weights" for a damaged file, "engine" when it cannot run.
 */
export async function loadModel(
  config: RagConfig,
  {
    embedded = fileURLToPath(new URL(".", mini.files.config)),
    onRead,
    variable = () => undefined,
    ...engineOptions
  }: LoadModelOptions = {},
): Promise<Model> {
  const folder = folderOf(config.compression.model, embedded);
  const clara = isImported(folder) ? await readClaraFolder(folder) : undefined;
  if (clara?.kind === "decoder") {
    throw new ClaraError(
      "config",
      `compression.model: ${folder} is a decoder, the base of a CLaRa and none itself: it has no adapters. Name a folder that ` +
        "`import CHECKPOINT --base DIR` has made",
    );
  }
  const send = config.generation.endpoint?.send;
  if (send === "memory" && !clara) {
    throw new ClaraError(
      "config",
      `generation.endpoint.send: "memory" needs an imported CLaRa, and ${folder} is none: its memories are no language model's; ` +
        'set send: "text"',
    );
  }
  // The engine's thread starts while the files are read.
  const starting = openEngine(engineOptions);
  starting.catch(() => {}); // it is awaited below
  try {
    const model = clara
      ? await claraModel(clara, await starting, config, { onRead, variable })
      : await assemble(await readModelFolder(folder), await starting, config);
    return send === "text" ? answeredByEndpoint(model, config, variable) : model;
  } catch (error) {
    await starting.then(
      (engine) => engine.dispose(),
      () => {},
    );
    throw error;
  }
}

/** The model with another's answers, which are written from text: from windows, where its memories can choose them. */
function answeredByEndpoint(model: Model, config: RagConfig, variable: Variable): Model {
  const { tokenizer, contexts, calibrated } = model;
  const { windows, neighbours, maxTokens } = config.expansion;
  const canChoose = contexts.includes("mixed");
  const fragments = canChoose ? windowChooser({ windows, neighbours, maxTokens }) : undefined;
  return {
    ...model,
    generator: textByEndpoint(config, { variable, fragments, count: tokenizer.count }),
    contexts: canChoose ? ["mixed", "text"] : ["text"],
    calibrated: { ...calibrated, confidence: false },
  };
}

/** A folder is written with a slash, so that no name can be mistaken for one. */
function folderOf(model: string, embedded: string): string {
  if (model === "@clara/mini") return embedded;
  if (/^(?:\.{0,2}|~)[\\/]|^[A-Za-z]:[\\/]/.test(model)) return model;
  throw new ClaraError(
    "config",
    `compression.model: "${model}" is not on this machine. There are the embedded model, "@clara/mini", and model folders, ` +
      '"./name", as train and import write them: a published checkpoint (CLaRa-7B: 14 GB of weights) is imported once. ' +
      'Set model: "@clara/mini"',
  );
}

/** Whether `import` has made the folder, or begun to. */
function isImported(folder: string): boolean {
  const path = join(folder, "config.json");
  return existsSync(path) ? readConfig(path).kind !== undefined : existsSync(join(folder, "import.jsonl"));
}

async function assemble(files: ModelFolder, engine: Engine, { expansion }: RagConfig): Promise<Model> {
  const { weights: bytes } = files;
  // "[SEP]" in a document is text, not a separator: nothing that is read may steer the reader.
  const tokenizer = wordPiece(JSON.parse(new TextDecoder().decode(files.tokenizer)), { specialTokens: "text" });
  const weights = readWeights(bytes, { only: ["embeddings.", "compressor.", "query."] });
  // Nothing else reads them here: `weights` is this function's own.
  const embeddings = bertEmbeddings(engine, weights, { transfer: true });
  const { layers, heads, layerNormEps, width } = parseBertConfig(files.config);
  const shape = { layers, heads, layerNormEps, embeddings };
  const adapter = below("query.", weights);
  // Each part starts when it is first asked: a question compresses no document, indexing asks no question and reads no answer,
  // and most answers do without the reader of memories.
  const compressing = lazily(width, () => bertEncoder(engine, { ...shape, weights, prefix: "compressor" }));
  const reasoning =
    adapter && lazily(width, () => bertEncoder(engine, { ...shape, weights, prefix: "compressor", adapter }));
  const narrowing = weights["compressor.bottleneck.weight"];
  const bottleneck = narrowing && { weight: narrowing.data, width: narrowing.shape[1]! };
  const reading = lazily(width, () =>
    bertEncoder(engine, { ...shape, weights: readWeights(bytes, { only: ["reader."] }), prefix: "reader" }),
  );
  const reads = weightsBelow(bytes, "memory.");
  const memories =
    reads && startingLate(() => memoryReader(engine, { ...shape, layers: stackOf(reads), weights: reads, tokenizer }));
  const { confidence, memoryConfidence, support, choice } = calibrationOf(files);
  const { windows, neighbours, maxTokens } = expansion;
  return {
    id: files.id,
    memoryId: documentSideOf(files),
    tokenizer: { id: tokenizer.id, count: (text) => tokenizer.encode(text).ids.length },
    // What MiniLM was trained on, less the title's.
    passageTokens: 200,
    width: bottleneck?.width ?? width,
    // A bottleneck has been trained to be rounded so; the states of an encoder that was not lose too much.
    memoryBits: bottleneck ? 2 : 4,
    compressor: createCompressor({ encoder: compressing, queryEncoder: reasoning, tokenizer, bottleneck }),
    generator: quoteGenerator({
      encoder: reading,
      head: spanHead(readWeights(bytes, { only: ["reader.span."] }), "reader.span", width),
      tokenizer,
      memories,
      confidence,
      memoryConfidence,
      choice,
      titled: files.config.titledReader === true,
      windows,
      neighbours,
      maxTokens,
    }),
    contexts: memories ? ["mixed", "text", "memory"] : ["mixed", "text"],
    closeness: ({ vector }, memory) => maxCosine(vector, memory),
    memories,
    support,
    calibrated: { scores: true, confidence: true },
    lens: undefined,
    engine: { name: engine.name, details: engine.details, passedOver: engine.passedOver },
    // What runs in the engine ends with it.
    dispose: () => engine.dispose(),
  };
}

/** What turns scores into probabilities: the folder's own, or that of the model it was trained from. */
function calibrationOf({ config }: ModelFolder): Calibration {
  return (config.calibration as Calibration | undefined) ?? mini.calibration;
}

function weightsBelow(bytes: Uint8Array, prefix: string): Weights | undefined {
  const found = readWeights(bytes, { only: [prefix] });
  return Object.keys(found).length > 0 ? found : undefined;
}

/** Tensors whose names begin so, without it; undefined when there are none. */
function below(prefix: string, weights: Weights): Weights | undefined {
  const found = Object.entries(weights).flatMap(([name, tensor]) =>
    name.startsWith(prefix) ? [[name.slice(prefix.length), tensor] as const] : [],
  );
  return found.length > 0 ? Object.fromEntries(found) : undefined;
}

/** Layers of the reader of memories: as many as the file has. */
function stackOf(weights: Weights): number {
  return (
    1 + Math.max(-1, ...Object.keys(weights).map((name) => Number(/^memory\.layer\.(\d+)\./.exec(name)?.[1] ?? -1)))
  );
}

function startingLate(create: () => Promise<MemoryReader>): MemoryReader {
  const reader = once(create);
  return {
    windows: async (...asked) => (await reader()).windows(...asked),
    point: async (...asked) => (await reader()).point(...asked),
    dispose: async () => (await reader.begun())?.dispose(),
  };
}

function lazily(width: number, create: () => Promise<Encoder>): Encoder {
  const encoder = once(create);
  return {
    width,
    run: async (...asked) => (await encoder()).run(...asked),
    dispose: async () => (await encoder.begun())?.dispose(),
  };
}
