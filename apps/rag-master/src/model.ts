import { fileURLToPath } from "node:url";
import { type Compressor, createCompressor, type MemoryBits } from "@clara/compressor";
import { ClaraError, type Generator, type Weights } from "@clara/core";
import type { Engine } from "@clara/engine";
import { type MemoryReader, memoryReader, quoteGenerator, spanHead } from "@clara/generator";
import { type Calibration, mini } from "@clara/mini";
import {
  bertEmbeddings,
  bertEncoder,
  type Encoder,
  parseBertConfig,
  readWeights,
  type Tokenizer,
  wordPiece,
} from "@clara/model";
import type { RagConfig } from "./config/index.ts";
import { type OpenEngineOptions, openEngine } from "./engine.ts";
import { documentSideOf } from "./memory-id.ts";
import { type ModelFolder, readModelFolder } from "./model-folder.ts";
import type { SupportFit } from "./rerank.ts";

/** Everything that depends on which weights are loaded. */
export interface Model {
  /** Name and content hash. */
  readonly id: string;
  /** Of what documents are compressed with: packs made by another are refused. Readers may change without it. */
  readonly memoryId: string;
  readonly tokenizer: Tokenizer;
  /** Width `d` of memories. */
  readonly width: number;
  /** Bits of one number of a memory, in packs and wherever else memories are kept. */
  readonly memoryBits: MemoryBits;
  readonly compressor: Compressor;
  readonly generator: Generator;
  /** Reads memories without their text, where the model can. */
  readonly memories: MemoryReader | undefined;
  readonly support: SupportFit;
  /** Where it runs. */
  readonly engine: Pick<Engine, "name" | "details" | "passedOver">;
  dispose(): Promise<void>;
}

export interface LoadModelOptions extends OpenEngineOptions {
  /** The embedded model's folder. @default in @clara/mini */
  readonly embedded?: string;
}

/**
 * Loads the model that the configuration names into an engine: two transformers over one table of words, and a small
 * reader of memories.
 *
 * @throws ClaraError "config" for a model that is not here, "weights" for a damaged file, "engine" when it cannot run.
 */
export async function loadModel(
  config: RagConfig,
  { embedded = fileURLToPath(new URL(".", mini.files.config)), ...engineOptions }: LoadModelOptions = {},
): Promise<Model> {
  const folder = folderOf(config.compression.model, embedded);
  // The engine's thread starts while the files are read.
  const starting = openEngine(engineOptions);
  starting.catch(() => {}); // it is awaited below
  try {
    const files = await readModelFolder(folder);
    return await assemble(files, await starting, config);
  } catch (error) {
    await starting.then(
      (engine) => engine.dispose(),
      () => {},
    );
    throw error;
  }
}

/** A folder is written with a slash, so that no name can be mistaken for one. */
function folderOf(model: string, embedded: string): string {
  if (model === "@clara/mini") return embedded;
  if (/^(?:\.{0,2}|~)[\\/]|^[A-Za-z]:[\\/]/.test(model)) return model;
  throw new ClaraError(
    "config",
    `compression.model: "${model}" is not on this machine. This version runs the embedded model, "@clara/mini", and model ` +
      'folders, "./name", as train writes them; published checkpoints (CLaRa-7B: 14 GB of weights, imported once) cannot be imported yet. ' +
      'Set model: "@clara/mini"',
  );
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
  const [compressing, reasoning] = await Promise.all([
    bertEncoder(engine, { ...shape, weights, prefix: "compressor" }),
    adapter && lazily(width, () => bertEncoder(engine, { ...shape, weights, prefix: "compressor", adapter })),
  ]);
  const narrowing = weights["compressor.bottleneck.weight"];
  const bottleneck = narrowing && { weight: narrowing.data, width: narrowing.shape[1]! };
  // The readers start when the first answer is asked for: indexing and searching do without them.
  const reading = lazily(width, () =>
    bertEncoder(engine, { ...shape, weights: readWeights(bytes, { only: ["reader."] }), prefix: "reader" }),
  );
  const reads = weightsBelow(bytes, "memory.");
  const memories =
    reads && (await memoryReader(engine, { ...shape, layers: stackOf(reads), weights: reads, tokenizer }));
  const { confidence, memoryConfidence, support, supportWeight } = calibrationOf(files);
  const { windows, neighbours, maxTokens } = expansion;
  return {
    id: files.id,
    memoryId: documentSideOf(files),
    tokenizer,
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
      supportWeight,
      windows,
      neighbours,
      maxTokens,
    }),
    memories,
    support,
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

function lazily(width: number, create: () => Promise<Encoder>): Encoder {
  let made: Promise<Encoder> | undefined;
  return {
    width,
    async run(batch, options) {
      made ??= create();
      return (await made).run(batch, options);
    },
    async dispose() {
      await (await made)?.dispose();
    },
  };
}
