import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { type Compressor, createCompressor } from "@clara/compressor";
import { ClaraError, type Generator } from "@clara/core";
import type { Engine } from "@clara/engine";
import { quoteGenerator, spanHead } from "@clara/generator";
import { mini } from "@clara/mini";
import { bertEmbeddings, bertEncoder, type Encoder, readWeights, type Tokenizer, wordPiece } from "@clara/model";
import type { RagConfig } from "./config/index.ts";
import { type OpenEngineOptions, openEngine } from "./engine.ts";
import type { SupportFit } from "./rerank.ts";

/** Everything that depends on which weights are loaded. */
export interface Model {
  /** Name and content hash: packs made by another id are refused. */
  readonly id: string;
  readonly tokenizer: Tokenizer;
  /** Model width `D`. */
  readonly width: number;
  readonly compressor: Compressor;
  readonly generator: Generator;
  readonly support: SupportFit;
  /** Where it runs. */
  readonly engine: Pick<Engine, "name" | "details" | "passedOver">;
  dispose(): Promise<void>;
}

export interface LoadModelOptions extends OpenEngineOptions {
  /** Where the weights and the tokenizer are read from; their checksums stay those of the model. @default in @clara/mini */
  readonly files?: { readonly weights: URL; readonly tokenizer: URL };
}

/**
 * Loads the model that the configuration names into an engine: two transformers over one table of words.
 *
 * @throws ClaraError "config" for a model that is not here, "weights" for a damaged file, "engine" when it cannot run.
 */
export async function loadModel(
  config: RagConfig,
  { files = mini.files, ...engineOptions }: LoadModelOptions = {},
): Promise<Model> {
  const { model: name } = config.compression;
  if (name !== "@clara/mini") {
    throw new ClaraError(
      "config",
      `compression.model: "${name}" is not on this machine. This version runs the embedded model, "@clara/mini"; ` +
        'published checkpoints (CLaRa-7B: 14 GB of weights, imported once) cannot be imported yet. Set model: "@clara/mini"',
    );
  }
  // The engine's thread starts while the files are read.
  const starting = openEngine(engineOptions);
  starting.catch(() => {}); // it is awaited below
  try {
    const { weights: bytes, tokenizer: tokenizerBytes } = await readModelFiles(files);
    // "[SEP]" in a document is text, not a separator: nothing that is read may steer the reader.
    const tokenizer = wordPiece(JSON.parse(new TextDecoder().decode(tokenizerBytes)), { specialTokens: "text" });
    const weights = readWeights(bytes, { only: ["embeddings.", "compressor."] });
    const engine = await starting;
    // Nothing else reads them here: `weights` is this function's own.
    const embeddings = bertEmbeddings(engine, weights, { transfer: true });
    const { layers, heads, layerNormEps, width } = mini.config;
    const shape = { layers, heads, layerNormEps, embeddings };
    const compressing = await bertEncoder(engine, { ...shape, weights, prefix: "compressor" });
    // The reader starts when the first answer is asked for: indexing and searching do without it.
    const reading = lazily(width, () =>
      bertEncoder(engine, { ...shape, weights: readWeights(bytes, { only: ["reader."] }), prefix: "reader" }),
    );
    const { windows, neighbours, maxTokens } = config.expansion;
    return {
      id: mini.id,
      tokenizer,
      width,
      compressor: createCompressor({ encoder: compressing, tokenizer }),
      generator: quoteGenerator({
        encoder: reading,
        head: spanHead(readWeights(bytes, { only: ["reader.span."] }), "reader.span", width),
        tokenizer,
        confidence: mini.calibration.confidence,
        supportWeight: mini.calibration.supportWeight,
        windows,
        neighbours,
        maxTokens,
      }),
      support: mini.calibration.support,
      engine: { name: engine.name, details: engine.details, passedOver: engine.passedOver },
      // What runs in the engine ends with it.
      dispose: () => engine.dispose(),
    };
  } catch (error) {
    await starting.then(
      (engine) => engine.dispose(),
      () => {},
    );
    throw error;
  }
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

/** The model's files, sha256 verified. @throws ClaraError "weights" when one is missing or damaged. */
export async function readModelFiles(
  files: { readonly weights: URL; readonly tokenizer: URL } = mini.files,
): Promise<{ readonly weights: Uint8Array; readonly tokenizer: Uint8Array }> {
  const [weights, tokenizer] = await Promise.all([
    readChecked(files.weights, mini.sha256.weights),
    readChecked(files.tokenizer, mini.sha256.tokenizer),
  ]);
  return { weights, tokenizer };
}

/** A truncated or altered file must never reach the engine: its answers would be wrong without a word. */
async function readChecked(file: URL, sha256: string): Promise<Uint8Array> {
  const path = fileURLToPath(file);
  const bytes = await readFile(file).catch((cause: unknown) => {
    throw new ClaraError("weights", `${path}: cannot be read; install @clara/mini again`, { cause });
  });
  const found = createHash("sha256").update(bytes).digest("hex");
  if (found !== sha256) {
    throw new ClaraError(
      "weights",
      `${path}: sha256 is ${found}, expected ${sha256} (${bytes.length} bytes found): the file is damaged; install @clara/mini again`,
    );
  }
  return bytes;
}
