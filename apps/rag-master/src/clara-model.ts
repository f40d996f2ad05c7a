import { createHash } from "node:crypto";
import {
  type CompressibleText,
  type CompressOptions,
  claraCompressor,
  meanKey,
  memoryCosine,
  nearestTokens,
} from "@clara/compressor";
import { ClaraError, type Memory, type Weights } from "@clara/core";
import type { Engine } from "@clara/engine";
import { type ClaraGenerator, claraGenerator, memoryGenerator } from "@clara/generator";
import type { ClaraTokenizer } from "@clara/model";
import type { Role } from "@clara/train";
import type { ClaraFolder } from "./clara-folder.ts";
import type { RagConfig } from "./config/index.ts";
import { memoryByEndpoint } from "./endpoint-generator.ts";
import type { ClaraSettings } from "./import/inspect.ts";
import type { Lens, LoadModelOptions, Model } from "./model.ts";
import { once } from "./once.ts";
import type { SupportFit } from "./rerank.ts";
import { wordTable } from "./word-table.ts";

/** Orders as the cosine does, which is all that it claims. */
const uncalibrated: SupportFit = { bias: 0, best: 1, mean: 0, overlap: 0 };

/**
 * A CLaRa of `import` as the pipeline's model: one decoder, mapped once, that compresses documents, reads questions and writes
 * answers, with an adapter for each. Each starts when it is first asked: in few bits it takes a copy of the decoder of its own, and
 * indexing, searching and answering do without one or two of them.
 *
 * A checkpoint of the first two stages has no adapter for questions: they are read with the compressor's, of which the reference
 * makes a copy there.
 *
 * @throws ClaraError "config" for another rate than the folder's, "weights" when the folder lacks a part.
 */
export async function claraModel(
  folder: ClaraFolder,
  engine: Engine,
  config: RagConfig,
  { onRead, variable = () => undefined }: Pick<LoadModelOptions, "onRead" | "variable"> = {},
): Promise<Model> {
  const { compression, generation } = config;
  const clara = folder.clara!;
  const { documentTokens, memoryTokens: M, loraScale, rate } = clara;
  if (compression.rate !== rate) {
    const made = `${folder.id} was trained at ${rate}, ${M} memory tokens for ${documentTokens} tokens, and has no other`;
    throw new ClaraError(
      "config",
      `compression.rate: ${compression.rate} is not the model's; ${made}; set rate: ${rate}`,
    );
  }
  const tokenizer = folder.tokenizer();
  const base = await engine.params({ file: folder.paths.base });
  const shared = { base, decoder: folder.decoder, tokenizer, loraScale };

  const compressing = adapterOf(folder, "compressor");
  const memoryId = documentSideOf(folder, clara, compressing);
  const { width } = folder.decoder;
  const side = (weights: Weights) =>
    once(async () => {
      const adapter = await engine.params(weights, { transfer: true });
      return claraCompressor(engine, { ...shared, documentTokens, adapters: { compressor: adapter, query: adapter } });
    });
  const documents = side(compressing);
  const reasoning = folder.adapter("query");
  const questions = reasoning ? side(reasoning) : documents;
  const generator = once(async (): Promise<ClaraGenerator> => {
    const adapter = await engine.params(adapterOf(folder, "generator"), { transfer: true });
    return claraGenerator(engine, { ...shared, adapter, render: folder.render() });
  });
  const { calibration } = folder;
  const confidence = calibration?.confidence;
  const remote =
    generation.endpoint?.send === "memory" ? memoryByEndpoint(folder, config, { variable, confidence }) : undefined;

  return {
    id: folder.id,
    memoryId,
    tokenizer: {
      id: `clara+${hash(folder.sha256.tokenizer, folder.sha256.tokenizerConfig, M)}`,
      count: (text) => tokenizer.encode(tokenizer.literal(text)).length,
    },
    // Of 256 tokens, 56 are left for the title and the words around it.
    passageTokens: Math.max(1, Math.floor((documentTokens * 25) / 32)),
    width,
    // The published weights have never seen a rounded memory.
    memoryBits: 8,
    compressor: {
      width,
      async compress(passages, { rate: asked = rate, ...options }: CompressOptions = {}) {
        if (asked !== rate) {
          throw new ClaraError("option", `compress: ${folder.id} has one rate, ${rate}, got ${asked}`);
        }
        const { memories, cut } = await (await documents()).compress(passages.map(documentText), options);
        report(
          passages.map(({ text }) => text),
          cut,
        );
        return memories.map((memory, i) => storedMemory(memory, passages[i]!, rate));
      },
      async query(text, options = {}) {
        const { queries, cut } = await (await questions()).query([text], options);
        report([text], cut);
        const states = queries[0]!;
        return { vector: meanKey(memoryOf(states, { rate, count: M, width })), states };
      },
    },
    closeness: ({ states }, memory) => memoryCosine(states, memory),
    generator:
      remote ??
      memoryGenerator({
        generator: { write: async (tasks, options) => (await generator()).write(tasks, options) },
        tokenizer,
        documents: clara.documents,
        maxTokens: generation.maxNewTokens,
        temperature: generation.temperature,
        confidence,
      }),
    contexts: ["memory"],
    memories: undefined,
    support: calibration?.support ?? uncalibrated,
    calibrated: { scores: calibration !== undefined, confidence: calibration !== undefined },
    lens: lensOf(folder, tokenizer),
    engine: { name: engine.name, details: engine.details, passedOver: engine.passedOver },
    // What runs in the engine ends with it.
    async dispose() {
      remote?.close();
      await engine.dispose();
    },
  };

  function report(texts: readonly string[], cut: readonly { text: number; lostTokens: number }[]): void {
    // Without its end mark alone, all of a text has been read.
    const shortened = cut.filter(({ lostTokens }) => lostTokens > 0);
    onRead?.(
      texts.length,
      shortened.map(({ text, lostTokens }) => ({ text: texts[text]!, lostTokens })),
    );
  }
}

/** A document as those of the training data are written, whose spelling this is. */
function documentText(passage: CompressibleText): string {
  return prefixOf(passage) + passage.text;
}

function prefixOf({ title = "" }: CompressibleText): string {
  return title === "" ? "" : `This a document about ${title}. \n `;
}

/** As a pack keeps memories: each vector stands for `rate` tokens, and has read the text up to where it was cut. */
function storedMemory(memory: Memory, passage: CompressibleText, rate: number): Memory {
  const read = Math.max(0, memory.spans[1]! - prefixOf(passage).length);
  const { count } = memory;
  return {
    ...memory,
    ...memoryOf(memory.vectors, { rate, count, width: memory.width }),
    spans: Uint32Array.from({ length: 2 * count }, (_, i) => (i % 2) * Math.min(read, passage.text.length)),
  };
}

function memoryOf(vectors: Float32Array, sizes: Pick<Memory, "rate" | "count" | "width">): Memory {
  const { rate, count } = sizes;
  return { ...sizes, vectors, tokens: new Uint16Array(count).fill(rate), spans: new Uint32Array(2 * count) };
}

function adapterOf(folder: ClaraFolder, role: Role): Weights {
  const adapter = folder.adapter(role);
  if (adapter) return adapter;
  const needed = role === "generator" ? "answers cannot be written" : "documents cannot be compressed";
  throw new ClaraError("weights", `${folder.folder}: there is no adapter for the ${role}, and ${needed} without it`);
}

/** Of all that turns a document into a memory: packs can be asked with every model that has it. */
function documentSideOf(
  { decoder, sha256 }: ClaraFolder,
  { documentTokens, memoryTokens, loraScale }: ClaraSettings,
  adapter: Weights,
): string {
  const tensors = createHash("sha256");
  for (const name of Object.keys(adapter).sort()) {
    const { shape, data } = adapter[name]!;
    tensors.update(JSON.stringify([name, shape])).update(data);
  }
  const files = [sha256.base, sha256.tokenizer, sha256.tokenizerConfig];
  return `memory+${hash(...files, tensors.digest("hex"), { decoder, documentTokens, memoryTokens, loraScale })}`;
}

function hash(...of: readonly unknown[]): string {
  return createHash("sha256").update(JSON.stringify(of)).digest("hex").slice(0, 12);
}

function lensOf(folder: ClaraFolder, tokenizer: ClaraTokenizer): Lens {
  const word = (id: number): string => tokenizer.decode([id]);
  return {
    ownAdapter: folder.clara!.adapters.includes("query"),
    near(states, { top, table }) {
      // Special and added tokens are no words.
      const only = (id: number): boolean => word(id) !== "";
      const near = wordTable(folder.paths.base, table, (words) => nearestTokens(states, words, { top, only }));
      return near.map((list) => list.map((token) => ({ ...token, word: word(token.id) })));
    },
  };
}
