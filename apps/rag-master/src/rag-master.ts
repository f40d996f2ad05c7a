import { openPack } from "@clara/pack";
import { hnsw } from "@clara/retrieval";
import { type Answer, type AnswerOptions, answer } from "./answer.ts";
import type { Citation } from "./cite.ts";
import { defaultConfig, loadConfig, type RagConfig } from "./config/index.ts";
import { type Corpus, corpusOfPack } from "./corpus.ts";
import { corpusOfTexts, type GivenDocument } from "./corpus-of-texts.ts";
import type { EngineChoice } from "./engine.ts";
import { type IndexReport, identityOf, indexFolder } from "./index-folder.ts";
import { type LoadModelOptions, loadModel, type Model } from "./model.ts";

export interface RagMasterOptions {
  /** A file like rag_config.yaml, or the settings themselves. @default the defaults of the documentation */
  readonly config?: string | RagConfig;
  /** Directory of the pack. @default ".clara" */
  readonly pack?: string;
  /** Where models run: an engine by name, or the error why not; "auto" is the first that starts. @default "auto" */
  readonly engine?: EngineChoice | "auto";
  /** Threads of one run. @default the machine's cores, at most 4 */
  readonly threads?: number;
  /** Told how many texts an imported CLaRa has read, and which of them were too long and lost their ends. */
  readonly onRead?: LoadModelOptions["onRead"];
  /** Looks up the environment variable that `generation.endpoint` names for its key. @default in `process.env` */
  readonly variable?: (name: string) => string | undefined;
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
  index(
    paths: readonly string[],
    options?: { signal?: AbortSignal; onProgress?: (stage: "read" | "compress", done: number, total: number) => void },
  ): Promise<IndexReport>;
  /** @param options.documents asks these instead of the pack */
  query(
    question: string,
    options?: AnswerOptions & { readonly documents?: readonly GivenDocument[] },
  ): Promise<RagAnswer>;
  /** What models run on, its version and device, and which engines "auto" passed over. */
  readonly engine: Model["engine"];
  /** Ends the engine's thread. */
  close(): Promise<void>;
}

/**
 * The whole pipeline as a library.
 *
 * @throws ClaraError "config" when the configuration is wrong, "weights" or "engine" when the model cannot run.
 */
export async function createRagMaster({
  config,
  pack = ".clara",
  engine,
  threads,
  onRead,
  variable = (name) => process.env[name],
}: RagMasterOptions = {}): Promise<RagMaster> {
  const settings = typeof config === "string" ? (await loadConfig(config)).config : (config ?? defaultConfig());
  const model = await loadModel(settings, { engine, threads, onRead, variable });
  const { rate } = settings.compression;
  let corpus: Promise<Corpus> | undefined;
  const open = (): Promise<Corpus> => {
    // A graph pays in a process that answers many questions, and only where a scan would take longer than a few milliseconds.
    const opening = openPack(pack, { expect: identityOf(model, rate) })
      .then((opened) => corpusOfPack(opened, { dense: hnsw({ exactBelow: 20_000 }) }))
      .catch((error: unknown) => {
        // A pack that could not be opened may be there at the next question.
        corpus = undefined;
        throw error;
      });
    corpus = opening;
    return opening;
  };
  return {
    config: settings,
    engine: model.engine,
    async index(paths, options = {}) {
      const report = await indexFolder(paths, { pack, model, rate, ...options });
      corpus = undefined;
      return report;
    },
    async query(question, { documents, ...options } = {}) {
      const source = documents === undefined ? await (corpus ?? open()) : await corpusOfTexts(documents, model, rate);
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
