import { ClaraError } from "@clara/core";
import type { ClaraAnswer, ClaraGenerateOptions, ClaraGenerator, GivenMemory } from "./clara-generator.ts";
import { type ChosenDocument, rankMemories } from "./rank-memories.ts";

/** What reads texts: `claraCompressor` of `@clara/compressor` is one. */
export interface TextReader {
  compress(
    documents: readonly string[],
    options?: Reading,
  ): Promise<{
    readonly memories: readonly GivenMemory[];
    readonly cut: readonly Cut[];
  }>;
  query(
    questions: readonly string[],
    options?: Reading,
  ): Promise<{
    readonly queries: readonly Float32Array[];
    readonly cut: readonly Cut[];
  }>;
}

type Reading = { readonly signal?: AbortSignal | undefined };
type Cut = { readonly text: number; readonly lostTokens: number };

/** One base in its roles. The compressor may be left out where memories are given and no question is read by it. */
export interface ClaraModel {
  readonly generator: ClaraGenerator;
  readonly compressor?: TextReader | undefined;
}

/** A document's text, or its memory where it was compressed before. */
export type ClaraDocument = string | GivenMemory;

/** A text that was longer than the compressor reads: of what is beyond, nothing can be in the answer. */
export interface CutInput {
  /** Which of the questions it belongs to. */
  readonly question: number;
  /** Its place among the documents; undefined: the question itself, as it was read to choose documents. */
  readonly document: number | undefined;
  /** How many tokens of its end were not read, counted up to 1,000; 0 when only the mark of its end found no room. */
  readonly lostTokens: number;
}

export interface ClaraAnswers<Answer extends ClaraAnswer = ClaraAnswer> {
  /** In the order of the questions. */
  readonly answers: readonly Answer[];
  readonly cut: readonly CutInput[];
}

/** An answer, and the documents that it was written from, best first. */
export interface ChosenAnswer extends ClaraAnswer {
  readonly documents: readonly ChosenDocument[];
}

export interface FromCandidatesOptions extends ClaraGenerateOptions {
  /** `k`: documents that are chosen for each question; all where there are fewer. @default 5, as the published weights were trained */
  readonly selected?: number;
}

export interface ParaphraseOptions extends ClaraGenerateOptions {
  /** Which of the 13 `paraphraseInstructions`, from 0: one for all, or a list with one for each. @default 1 */
  readonly instruction?: number | readonly number[];
}

/**
 * Answers each question from all of its documents, in their order. Numbers of documents may differ.
 *
 * @throws ClaraError "shape" when the lists differ in length, "option" when texts are given and no compressor, and what
 *   `ClaraGenerator.write` throws.
 * @see He et al. 2025, "CLaRa". https://arxiv.org/abs/2511.18659
 */
export async function answerFromDocuments(
  { generator, compressor }: ClaraModel,
  questions: readonly string[],
  documents: readonly (readonly ClaraDocument[])[],
  options: ClaraGenerateOptions = {},
): Promise<ClaraAnswers> {
  checkLists("answerFromDocuments", questions, documents);
  const { memories, cut } = await memoriesOf("answerFromDocuments", compressor, documents, options);
  const tasks = questions.map((question, i) => ({ task: "answer" as const, question, memories: memories[i]! }));
  return { answers: await generator.write(tasks, options), cut };
}

/**
 * Answers each question from the k of its candidates whose memories are closest to it, best first. Numbers of candidates may
 * differ, and be less than k.
 *
 * @throws ClaraError as `answerFromDocuments`, and "unsupported" when the compressor has no adapter for queries.
 * @see He et al. 2025, "CLaRa". https://arxiv.org/abs/2511.18659
 */
export async function answerFromCandidates(
  { generator, compressor }: ClaraModel,
  questions: readonly string[],
  candidates: readonly (readonly ClaraDocument[])[],
  { selected = 5, ...options }: FromCandidatesOptions = {},
): Promise<ClaraAnswers<ChosenAnswer>> {
  checkLists("answerFromCandidates", questions, candidates);
  if (!Number.isInteger(selected) || selected < 1) {
    throw new ClaraError("option", `answerFromCandidates: selected must be an integer of at least 1, got ${selected}`);
  }
  if (!compressor) throw noCompressor("answerFromCandidates: questions are read by the compressor");
  const { queries, cut: cutQuestions } = await compressor.query(questions, { signal: options.signal });
  const { memories, cut } = await memoriesOf("answerFromCandidates", compressor, candidates, options);
  const chosen = queries.map((query, i) => {
    const vectors = memories[i]!.map((memory) => memory.vectors);
    const foreign = vectors.find(({ length }) => length !== query.length);
    if (!foreign) return rankMemories(query, vectors).slice(0, selected);
    throw new ClaraError(
      "shape",
      `answerFromCandidates: question ${i}: memories of this model have ${query.length} numbers, got ${foreign.length}`,
    );
  });
  const tasks = questions.map((question, i) => {
    return { task: "answer" as const, question, memories: chosen[i]!.map(({ index }) => memories[i]![index]!) };
  });
  const answers = await generator.write(tasks, options);
  const questionsCut = cutQuestions.map(({ text, lostTokens }) => ({
    question: text,
    document: undefined,
    lostTokens,
  }));
  return {
    answers: answers.map((answer, i) => ({ ...answer, documents: chosen[i]! })),
    cut: [...questionsCut, ...cut],
  };
}

/**
 * Says each list of documents in other words. Trained on one document each; more are blended.
 *
 * @throws ClaraError as `answerFromDocuments`.
 */
export async function paraphrase(
  { generator, compressor }: ClaraModel,
  documents: readonly (readonly ClaraDocument[])[],
  { instruction = 1, ...options }: ParaphraseOptions = {},
): Promise<ClaraAnswers> {
  const instructions = typeof instruction === "number" ? documents.map(() => instruction) : instruction;
  if (instructions.length !== documents.length) {
    const [needs, got] = [documents.length, instructions.length];
    throw new ClaraError("shape", `paraphrase: there must be an instruction for each of ${needs} lists, got ${got}`);
  }
  const { memories, cut } = await memoriesOf("paraphrase", compressor, documents, options);
  const tasks = instructions.map((instruction, i) => {
    return { task: "paraphrase" as const, instruction, memories: memories[i]! };
  });
  return { answers: await generator.write(tasks, options), cut };
}

/** Memories as given, and of all texts, compressed together. */
async function memoriesOf(
  where: string,
  compressor: TextReader | undefined,
  lists: readonly (readonly ClaraDocument[])[],
  { signal }: Reading,
): Promise<{ memories: GivenMemory[][]; cut: CutInput[] }> {
  const places = lists.flatMap((list, question) =>
    list.flatMap((entry, document) => (typeof entry === "string" ? [{ question, document, entry }] : [])),
  );
  const memories = lists.map((list) => [...list]);
  if (places.length === 0) return { memories: memories as GivenMemory[][], cut: [] };
  if (!compressor) throw noCompressor(`${where}: documents are given as texts`);
  const texts = places.map(({ entry }) => entry);
  const read = await compressor.compress(texts, { signal });
  for (const [i, { question, document }] of places.entries()) memories[question]![document] = read.memories[i]!;
  const cut = read.cut.map(({ text, lostTokens }) => {
    const { question, document } = places[text]!;
    return { question, document, lostTokens };
  });
  return { memories: memories as GivenMemory[][], cut };
}

function noCompressor(why: string): ClaraError {
  return new ClaraError("option", `${why}, and the model has none; give it claraCompressor of @clara/compressor`);
}

function checkLists(where: string, questions: readonly string[], lists: readonly unknown[]): void {
  if (questions.length === lists.length) return;
  throw new ClaraError(
    "shape",
    `${where}: there must be a list of documents for each of ${questions.length} questions, got ${lists.length}`,
  );
}
