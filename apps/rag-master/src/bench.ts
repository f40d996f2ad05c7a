import { ClaraError, type Document, type Passage, throwIfAborted } from "@clara/core";
import { percentile } from "@clara/evaluation";
import { answer } from "./answer.ts";
import type { RagConfig } from "./config/index.ts";
import { corpusOf } from "./corpus.ts";
import { findFiles, loadFile } from "./loaders/index.ts";
import type { Model } from "./model.ts";
import { splitDocument } from "./split/index.ts";

/** How quick a machine is with one model on one engine. */
export interface Bench {
  readonly documents: { readonly files: number; readonly passages: number; readonly tokens: number };
  /** From nothing to a model that can compress. */
  readonly startMs: number;
  readonly compress: { readonly passagesPerSecond: number; readonly tokensPerSecond: number };
  /** From a question to its vector. */
  readonly queryMs: Spread;
  /** The first question to its answer, the reader's start included. */
  readonly firstAnswerMs: number;
  /** Later questions to the first token of their answer; a reader of spans knows all of it then. */
  readonly firstTokenMs: Spread;
}

export interface Spread {
  readonly p50: number;
  readonly p95: number;
}

export interface BenchOptions {
  readonly open: () => Promise<Model>;
  readonly config: RagConfig;
  /** @default 20 */
  readonly questions?: number;
  readonly signal?: AbortSignal;
  readonly onProgress?: (stage: "compress" | "ask", done: number, total: number) => void;
}

/**
 * Compresses the documents below `paths` and asks questions about them, on a clock. The questions are made of the
 * documents' own words: what is measured is time.
 *
 * @throws ClaraError "input" when there is nothing to read.
 */
export async function bench(paths: readonly string[], options: BenchOptions): Promise<Bench> {
  const { open, config, questions = 20, signal, onProgress } = options;
  const { files } = await findFiles(paths);
  const loaded = (await Promise.all(files.map((file) => loadFile(file).catch(() => undefined)))).filter(
    (file) => file !== undefined && "document" in file,
  );
  const started = performance.now();
  const model = await open();
  const startMs = performance.now() - started;
  try {
    const splitting = { tokens: model.tokenizer.count, maxTokens: model.passageTokens };
    const documents: Document[] = loaded.map(({ document }) => document);
    const passages: Passage[] = loaded.flatMap(({ document, blocks }) => splitDocument(document, blocks, splitting));
    if (passages.length === 0)
      throw new ClaraError("input", `bench: ${paths.join(", ")}: there is no text to compress`);
    const { rate } = config.compression;
    // The first runs ask for memory that later ones find there.
    await model.compressor.compress(passages.slice(0, 16), { rate, ...(signal && { signal }) });
    const compressing = performance.now();
    const memories = await model.compressor.compress(passages, {
      rate,
      onProgress: (done, total) => onProgress?.("compress", done, total),
      ...(signal && { signal }),
    });
    const seconds = (performance.now() - compressing) / 1000;
    const read = passages.reduce((sum, { title, text }) => sum + model.tokenizer.count(`${title}\n${text}`), 0);

    const corpus = await corpusOf(documents, passages, memories, model.memoryBits);
    const queryMs: number[] = [];
    const firstTokenMs: number[] = [];
    for (let i = 0; i <= questions; i++) {
      throwIfAborted(signal, "bench");
      onProgress?.("ask", i, questions + 1);
      const question = questionOf(passages[Math.floor((i * passages.length) / (questions + 1))]!);
      const asked = performance.now();
      await model.compressor.query(question);
      if (i > 0) queryMs.push(performance.now() - asked);
      // A draft is made of whatever was found, also where the question would be refused.
      const { timings } = await answer(question, corpus, model, config, { draft: true, ...(signal && { signal }) });
      firstTokenMs.push(timings.firstToken);
    }
    const [firstAnswerMs, ...later] = firstTokenMs;
    return {
      documents: { files: documents.length, passages: passages.length, tokens: read },
      startMs: digits(startMs),
      compress: { passagesPerSecond: digits(passages.length / seconds), tokensPerSecond: digits(read / seconds) },
      queryMs: spread(queryMs),
      firstAnswerMs: digits(firstAnswerMs!),
      firstTokenMs: spread(later),
    };
  } finally {
    await model.dispose();
  }
}

/** The first words of a passage, which then supports an answer. */
function questionOf({ text }: Passage): string {
  return `What about ${text.split(/\s+/).slice(0, 8).join(" ")}?`;
}

function spread(values: readonly number[]): Spread {
  return { p50: digits(percentile(values, 50)), p95: digits(percentile(values, 95)) };
}

function digits(value: number): number {
  return Number(value.toPrecision(3));
}
