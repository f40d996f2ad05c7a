import { randomUUID } from "node:crypto";
import { dequantizeMemory } from "@clara/compressor";
import { ClaraError, type Context, type Generated, type Hit } from "@clara/core";
import { englishAnalyzer, hybrid } from "@clara/retrieval";
import { type Citation, cite } from "./cite.ts";
import type { RagConfig } from "./config/index.ts";
import type { Corpus } from "./corpus.ts";
import {
  citationRail,
  type Decision,
  generationRail,
  inputRail,
  outputRail,
  type RefusalReason,
  retrievalRail,
} from "./guardrails.ts";
import type { Model } from "./model.ts";
import { overlapWith } from "./overlap.ts";
import { type Ranked, rerank } from "./rerank.ts";

/** One question's answer, or refusal, with everything that led to it. */
export interface Answer {
  readonly question: string;
  /** Null when refused. */
  readonly answer: string | null;
  readonly refused: boolean;
  readonly reason: RefusalReason | null;
  /** 0–1: how probable it is that the answer is right. 0 when nothing was generated. */
  readonly confidence: number;
  readonly citations: readonly Citation[];
  /** Best first; `score` is the reranker's calibrated 0–1. */
  readonly hits: readonly AnswerHit[];
  /** Tokens of the hits' text, and those that were read as text. */
  readonly tokens: { readonly text: number; readonly read: number };
  /** Milliseconds. */
  readonly timings: {
    readonly retrieve: number;
    readonly rerank: number;
    readonly firstToken: number;
    readonly total: number;
  };
  readonly record: string;
  /** What the rails decided, in order, up to the one that refused. */
  readonly decisions: readonly Decision[];
  /** What the generator says of how sure it is: see `Generated`; 0 when nothing was generated. */
  readonly margin: number;
  /** What would have been said, kept for the record and for measuring: set even when a rail refused it. */
  readonly draft: string | null;
}

export interface AnswerHit {
  readonly passage: string;
  readonly document: string;
  readonly score: number;
  readonly rank: number;
  readonly from: NonNullable<Hit["from"]>;
  readonly features: Ranked["features"];
}

export interface AnswerOptions {
  /** @default what the configuration means: see `usualContext` */
  readonly context?: Context;
  readonly signal?: AbortSignal;
  /** Generates a draft even when the retrieval rail has refused; the refusal stands. For measuring. @default false */
  readonly draft?: boolean;
  /** Called with pieces of the answer, in order, once every rail has passed. */
  readonly onToken?: (piece: string) => void;
}

/**
 * From a question to a cited answer or a refusal: retrieve, rerank by memory, generate, cite, and five rails between.
 *
 * @throws ClaraError "input" for an empty question, "aborted" when the signal fires.
 */
export async function answer(
  question: string,
  corpus: Corpus,
  model: Model,
  config: RagConfig,
  options: AnswerOptions = {},
): Promise<Answer> {
  const { context = usualContext(config, model), draft = false, signal, onToken } = options;
  checkQuestion(question);
  checkContext(context, model);
  const { minScore, minConfidence, allowOutOfContext } = thresholds(config, model);
  const clock = stopwatch();
  const steps: Steps = { question, clock, decisions: [], ranked: [] };

  if (!check(steps, inputRail(question, config.guardrails.input))) return refusal(steps);

  const asked = await model.compressor.query(question, { ...(signal && { signal }) });
  const { vector } = asked;
  const hits = await hybridOf(corpus, config).search({ text: question, vector }, { k: 37, ...(signal && { signal }) });
  clock.lap("retrieve");

  const overlap = overlapWith(question, englishAnalyzer, corpus.sparse.idf, corpus.size);
  const candidates = hits.map((hit) => ({ hit, passage: corpus.passage(hit.id), memory: corpus.memory(hit.id) }));
  const { support: fit, closeness } = model;
  steps.ranked = await rerank(asked, candidates, { k: config.reranking.topK, fit, closeness, overlap });
  clock.lap("rerank");

  const best = steps.ranked[0]?.score ?? 0;
  const found = check(steps, retrievalRail(best, { minScore, allowOutOfContext }));
  if (!found && !draft) return refusal(steps);

  const evidence = steps.ranked.map(({ passage, score }) => ({
    id: passage.id,
    title: passage.title,
    text: passage.text,
    memory: dequantizeMemory(corpus.memory(passage.id)),
    score,
  }));
  const pieces: string[] = [];
  const generated = await model.generator.generate({ text: question, ...asked }, evidence, {
    context,
    overlap,
    onToken: (piece) => pieces.push(piece),
    ...(signal && { signal }),
  });
  clock.lap("firstToken");
  if (generated === null) {
    const nothing = retrievalRail(0, { minScore, allowOutOfContext: false });
    return refusal({
      ...steps,
      decisions: [...steps.decisions, { ...nothing, pass: false, reason: "out_of_context" }],
    });
  }
  steps.generated = generated;

  steps.citations = generated.quotes.slice(0, config.citations.max).map((quote) => {
    const passage = corpus.passage(quote.evidence);
    return cite(quote, passage, corpus.document(passage.document));
  });
  const passed =
    found &&
    check(steps, generationRail(generated, { minConfidence })) &&
    check(steps, citationRail(steps.citations, config.guardrails)) &&
    check(steps, outputRail(generated.answer, config.guardrails.output));
  if (!passed) return refusal(steps);
  // Not a word reaches the reader before the rails have passed.
  for (const piece of pieces) onToken?.(piece);
  return report(steps, null);
}

/** @throws ClaraError "input" when there is nothing asked. */
export function checkQuestion(question: string): void {
  if (question.trim() === "")
    throw new ClaraError("input", 'the question is empty; ask something, as in: ask "What does the jacket cost?"');
}

/**
 * What is read when nothing else is asked for: whole passages where expansion is `always` or compression off, nothing where it is
 * `never`, and otherwise windows, with a model that can read them.
 */
export function usualContext({ compression, expansion }: RagConfig, { contexts }: Pick<Model, "contexts">): Context {
  if (!compression.enabled || expansion.when === "always") return "text";
  if (expansion.when === "never") return "memory";
  return contexts.includes("mixed") ? "mixed" : contexts[0]!;
}

/** @throws ClaraError "unsupported" when the model does not answer from this. */
function checkContext(context: Context, { id, contexts }: Model): void {
  if (contexts.includes(context)) return;
  const instead = `it takes ${contexts.join(" or ")}: look at --context, expansion.when and compression.enabled`;
  throw new ClaraError("unsupported", `ask: ${id} does not answer from context ${context}; ${instead}`);
}

/** What the rails need. A model whose scores are no probabilities is not held to any: they are in the record. */
function thresholds(
  { reranking, guardrails }: RagConfig,
  { calibrated }: Model,
): { minScore: number; minConfidence: number; allowOutOfContext: boolean } {
  const { allowOutOfContext } = guardrails;
  return {
    minScore: calibrated.scores ? reranking.minScore : 0,
    minConfidence: calibrated.confidence ? guardrails.minConfidence : 0,
    allowOutOfContext,
  };
}

export function hybridOf({ sparse, dense }: Corpus, { retrieval }: RagConfig): ReturnType<typeof hybrid> {
  return hybrid({
    sparse,
    dense,
    sparseK: retrieval.sparseTopK,
    denseK: retrieval.denseTopK,
    fusion: retrieval.fusion,
  });
}

interface Steps {
  readonly question: string;
  readonly clock: ReturnType<typeof stopwatch>;
  decisions: Decision[];
  ranked: readonly Ranked[];
  generated?: Omit<Generated, "quotes">;
  citations?: readonly Citation[];
}

function check(steps: Steps, decision: Decision): boolean {
  steps.decisions.push(decision);
  return decision.pass;
}

function refusal(steps: Steps): Answer {
  return report(steps, steps.decisions.find(({ pass }) => !pass)?.reason ?? "out_of_context");
}

function report(
  { question, clock, decisions, ranked, generated, citations = [] }: Steps,
  reason: RefusalReason | null,
): Answer {
  return {
    question,
    answer: reason === null ? generated!.answer : null,
    refused: reason !== null,
    reason,
    confidence: generated?.confidence ?? 0,
    citations: reason === null ? citations : [],
    hits: ranked.map(({ hit, passage, score, features }, index) => ({
      passage: passage.id,
      document: passage.document,
      score,
      rank: index + 1,
      from: hit.from ?? {},
      features,
    })),
    tokens: generated?.tokens ?? { text: 0, read: 0 },
    timings: clock.done(),
    record: randomUUID(),
    decisions,
    margin: generated?.margin ?? 0,
    // That there is no answer is none.
    draft: generated && !generated.declined ? generated.answer : null,
  };
}

function stopwatch(): { lap(name: "retrieve" | "rerank" | "firstToken"): void; done(): Answer["timings"] } {
  const start = performance.now();
  const laps = { retrieve: 0, rerank: 0, firstToken: 0 };
  let last = start;
  const round = (ms: number) => Math.round(ms * 10) / 10;
  return {
    lap(name) {
      const now = performance.now();
      // The first token's time counts from the question, as a user waits; the others are their stage's own.
      laps[name] = round(name === "firstToken" ? now - start : now - last);
      last = now;
    },
    done: () => ({ ...laps, total: round(performance.now() - start) }),
  };
}
