import { createHash } from "node:crypto";
import { meanKey } from "@clara/compressor";
import { ClaraError, type Document } from "@clara/core";
import { openPack } from "@clara/pack";
import { type Answer, type AnswerOptions, answer } from "./answer.ts";
import type { Citation } from "./cite.ts";
import { defaultConfig, loadConfig, type RagConfig } from "./config/index.ts";
import { type Corpus, corpusOf, corpusOfPack } from "./corpus.ts";
import { identityOf, indexFolder, type IndexReport } from "./index-folder.ts";
import { loadModel, type Model } from "./model.ts";
import { splitText } from "./split/index.ts";

/** A document given with a question: its text, or the text with a name to cite it by. */
export type GivenDocument = string | { readonly id?: string; readonly title?: string; readonly text: string };

export interface RagMasterOptions {
  /** A file like rag_config.yaml, or the settings themselves. @default the defaults of the documentation */
  readonly config?: string | RagConfig;
  /** Directory of the pack. @default ".clara" */
  readonly pack?: string;
  /** Threads of the encoder. @default the engine's choice */
  readonly threads?: number;
}

export interface RagAnswer {
  /** The answer, or the refusal message. */
  readonly response: string;
  readonly citations: readonly Citation[];
  readonly refused: boolean;
  readonly confidence: number;
  /** Everything that led to it. */
  readonly record: Answer;
}

export interface RagMaster {
  readonly config: RagConfig;
  /** Brings the pack in step with files and folders. */
  index(paths: readonly string[], options?: { signal?: AbortSignal; onProgress?: (stage: "read" | "compress", done: number, total: number) => void }): Promise<IndexReport>;
  /** @param options.documents asks these instead of the pack */
  query(question: string, options?: AnswerOptions & { readonly documents?: readonly GivenDocument[] }): Promise<RagAnswer>;
  /** Ends the engine's threads. */
  close(): Promise<void>;
}

/**
 * The whole pipeline as a library.
 *
 * @throws ClaraError "config" when the configuration is wrong, "weights" or "engine" when the model cannot run.
 */
export async function createRagMaster({ config, pack = ".clara", threads }: RagMasterOptions = {}): Promise<RagMaster> {
  const settings = typeof config === "string" ? (await loadConfig(config)).config : (config ?? defaultConfig());
  const model = await loadModel(settings, { ...(threads && { threads }) });
  const { rate } = settings.compression;
  let corpus: Promise<Corpus> | undefined;
  return {
    config: settings,
    async index(paths, options = {}) {
      const report = await indexFolder(paths, { pack, model, rate, ...options });
      corpus = undefined;
      return report;
    },
    async query(question, { documents, ...options } = {}) {
      if (documents === undefined) {
        corpus ??= openPack(pack, { expect: identityOf(model, rate) }).then(corpusOfPack);
        // A pack that could not be opened may be there at the next question.
        corpus.catch(() => {
          corpus = undefined;
        });
      }
      const source = documents === undefined ? await corpus! : await corpusOfTexts(documents, model, rate);
      const record = await answer(question, source, model, settings, options);
      return {
        response: record.answer ?? settings.cognitiveBrain.refusalMessage,
        citations: record.citations,
        refused: record.refused,
        confidence: record.confidence,
        record,
      };
    },
    close: () => model.dispose(),
  };
}

/** Splits and compresses documents that are given as text, without a pack. */
export async function corpusOfTexts(given: readonly GivenDocument[], model: Model, rate: number, { split = true }: { split?: boolean } = {}): Promise<Corpus> {
  const documents = given.map((item, index): Document => {
    const { id = `document-${index + 1}`, title = "", text } = typeof item === "string" ? { text: item } : item;
    if (typeof text !== "string") throw new ClaraError("input", `query: documents[${index}] must be a text or { text }, got ${JSON.stringify(item)?.slice(0, 80)}`);
    return { id, title, text, hash: createHash("sha256").update(text).digest("hex"), metadata: {} };
  });
  const ids = new Set(documents.map(({ id }) => id));
  if (ids.size !== documents.length) throw new ClaraError("input", "query: two documents have the same id; ids are how citations name them");
  const tokens = (text: string) => model.tokenizer.encode(text).ids.length;
  const passages = documents.flatMap((document) =>
    split
      ? splitText(document, { tokens, maxTokens: 200 })
      : [{ id: document.id, document: document.id, title: "", text: document.text, start: 0, end: document.text.length, metadata: {} }],
  );
  const memories = await model.compressor.compress(passages, { rate });
  return corpusOf(documents, passages, memories, memories.map(meanKey));
}
