import { EMBEDDED_MODEL, type Problem } from "./schema.ts";
import type { RagConfig, Source } from "./types.ts";

/** Candidates that the reranker is given at most: 25 by words and 12 by meaning, as in the reference. */
const MAX_CANDIDATES = 37;
/** Tokens of the longest answer that the embedded model quotes. */
const LONGEST_QUOTE = 30;

/** Settings that are right one by one and impossible together. */
export interface Impossible {
  /** Those that disagree; the first one that the file sets is where the error points. */
  readonly settings: readonly string[];
  readonly what: string;
}

/** @param problems settings that are wrong by themselves: they hold a default now, from which nothing follows */
export function impossible({ retrieval, reranking }: RagConfig, problems: readonly Problem[]): Impossible[] {
  const [dense, sparse, topK] = ["retrieval.dense_top_k", "retrieval.sparse_top_k", "reranking.top_k"] as const;
  const candidates = retrieval.denseTopK + retrieval.sparseTopK;
  const sum = `${retrieval.denseTopK} + ${retrieval.sparseTopK} = ${candidates}`;
  const found: Impossible[] = [];
  if (candidates > MAX_CANDIDATES) {
    const what = `${dense} + ${sparse} must be at most ${MAX_CANDIDATES} candidates, found ${sum}; lower one of them`;
    found.push({ settings: [dense, sparse], what });
  } else if (candidates === 0) {
    found.push({
      settings: [dense, sparse],
      what: `${dense} and ${sparse} are both 0; at least one of them must search`,
    });
  } else if (reranking.topK > candidates) {
    const what = `${topK} must be at most the candidates (${dense} + ${sparse}: ${sum}), found ${reranking.topK}`;
    found.push({ settings: [topK, dense, sparse], what });
  }
  const wrong = new Set(problems.map(({ path }) => path.join(".")));
  return found.filter(({ settings }) => !settings.some((name) => wrong.has(name) || wrong.has(name.split(".")[0]!)));
}

/**
 * Settings of the file that the embedded model cannot honour. That is no mistake, since another model can; what other
 * models cannot honour is known only to them.
 */
export function notes(
  { compression, generation, cognitiveBrain }: RagConfig,
  sources: Readonly<Record<string, Source>>,
): string[] {
  if (compression.model !== EMBEDDED_MODEL) return [];
  const { temperature, maxNewTokens } = generation;
  const found: string[] = [];
  if (sources["generation.temperature"]?.from === "file" && temperature > 0) {
    found.push(`generation.temperature: ${temperature} has no effect with ${EMBEDDED_MODEL}, whose answers are quotes`);
  }
  if (sources["generation.max_new_tokens"]?.from === "file" && maxNewTokens > LONGEST_QUOTE) {
    found.push(
      `generation.max_new_tokens: ${maxNewTokens} is never reached with ${EMBEDDED_MODEL}, whose quotes have at most ${LONGEST_QUOTE} tokens`,
    );
  }
  for (const name of ["persona", "tone"] as const) {
    if (cognitiveBrain[name] !== undefined)
      found.push(`cognitive_brain.${name} has no effect with ${EMBEDDED_MODEL}, whose answers are quotes`);
  }
  return found;
}
