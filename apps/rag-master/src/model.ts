import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { type Compressor, createCompressor } from "@clara/compressor";
import { ClaraError, type Generator, type Weights } from "@clara/core";
import { createEncoder, type Encoder } from "@clara/engine";
import { quoteGenerator, spanHead } from "@clara/generator";
import { mini } from "@clara/mini";
import { readWeights, type Tokenizer, wordPiece } from "@clara/model";
import type { RagConfig } from "./config/index.ts";
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
  dispose(): Promise<void>;
}

export interface LoadModelOptions {
  /** Threads of each encoder. @default the engine's choice */
  readonly threads?: number;
  /** Where the weights and the tokenizer are read from; their checksums stay those of the model. @default in @clara/mini */
  readonly files?: { readonly weights: URL; readonly tokenizer: URL };
}

/**
 * Loads the model that the configuration names.
 *
 * @throws ClaraError "config" for a model that is not here, "weights" for a damaged file, "engine" when it cannot run.
 */
export async function loadModel(
  config: RagConfig,
  { threads, files = mini.files }: LoadModelOptions = {},
): Promise<Model> {
  const { model: name } = config.compression;
  if (name !== "@clara/mini") {
    throw new ClaraError(
      "config",
      `compression.model: "${name}" is not on this machine. This version runs the embedded model, "@clara/mini"; ` +
        'published checkpoints (CLaRa-7B: 14 GB of weights, imported once) cannot be imported yet. Set model: "@clara/mini"',
    );
  }
  const [bytes, tokenizerBytes] = await Promise.all([
    readChecked(files.weights, mini.sha256.weights),
    readChecked(files.tokenizer, mini.sha256.tokenizer),
  ]);
  const weights = readWeights(bytes);
  // "[SEP]" in a document is text, not a separator: nothing that is read may steer the reader.
  const tokenizer = wordPiece(JSON.parse(new TextDecoder().decode(tokenizerBytes)), { specialTokens: "text" });
  const compressing = await encoder(weights, "compressor.layer", threads);
  // The reader starts when the first answer is asked for: indexing and searching do without it.
  const reading = lazily(() => encoder(weights, "reader.layer", threads), compressing.width);
  const { windows, neighbours, maxTokens } = config.expansion;
  return {
    id: mini.id,
    tokenizer,
    width: compressing.width,
    compressor: createCompressor({ encoder: compressing, tokenizer }),
    generator: quoteGenerator({
      encoder: reading,
      head: spanHead(weights, "reader.span", compressing.width),
      tokenizer,
      confidence: mini.calibration.confidence,
      supportWeight: mini.calibration.supportWeight,
      windows,
      neighbours,
      maxTokens,
    }),
    support: mini.calibration.support,
    async dispose() {
      await Promise.all([compressing.dispose(), reading.dispose()]);
    },
  };
}

function encoder(weights: Weights, layer: string, threads: number | undefined): Promise<Encoder> {
  const { layers, heads, layerNormEps } = mini.config;
  return createEncoder({
    weights,
    layers,
    heads,
    layerNormEps,
    prefix: { embeddings: "embeddings", layer },
    ...(threads && { threads }),
  });
}

function lazily(create: () => Promise<Encoder>, width: number): Encoder {
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
