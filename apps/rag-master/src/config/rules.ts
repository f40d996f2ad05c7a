import { EMBEDDED_MODEL, type Problem } from "./schema.ts";
import type { EndpointConfig, RagConfig, Source } from "./types.ts";

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
export function impossible(config: RagConfig, problems: readonly Problem[]): Impossible[] {
  const wrong = new Set(problems.map(({ path }) => path.join(".")));
  const isWrong = (name: string): boolean => {
    const parts = name.split(".");
    return parts.some((_, i) => wrong.has(parts.slice(0, i + 1).join(".")));
  };
  return [...candidates(config), ...endpoint(config)].filter(({ settings }) => !settings.some(isWrong));
}

function candidates({ retrieval, reranking }: RagConfig): Impossible[] {
  const [dense, sparse, topK] = ["retrieval.dense_top_k", "retrieval.sparse_top_k", "reranking.top_k"] as const;
  const count = retrieval.denseTopK + retrieval.sparseTopK;
  const sum = `${retrieval.denseTopK} + ${retrieval.sparseTopK} = ${count}`;
  if (count > MAX_CANDIDATES) {
    const what = `${dense} + ${sparse} must be at most ${MAX_CANDIDATES} candidates, found ${sum}; lower one of them`;
    return [{ settings: [dense, sparse], what }];
  }
  if (count === 0) {
    const what = `${dense} and ${sparse} are both 0; at least one of them must search`;
    return [{ settings: [dense, sparse], what }];
  }
  if (reranking.topK <= count) return [];
  const what = `${topK} must be at most the candidates (${dense} + ${sparse}: ${sum}), found ${reranking.topK}`;
  return [{ settings: [topK, dense, sparse], what }];
}

function endpoint({ compression, expansion, generation }: RagConfig): Impossible[] {
  const [send, model, when] = ["generation.endpoint.send", "compression.model", "expansion.when"] as const;
  if (generation.endpoint?.send === "text" && expansion.when === "never") {
    const what = `${when}: "never" leaves generation.endpoint nothing to read; set "gate" or "always"`;
    return [{ settings: [when, send], what }];
  }
  if (generation.endpoint?.send !== "memory") return [];
  const found: Impossible[] = [];
  if (compression.model === EMBEDDED_MODEL) {
    const needs = "needs an imported CLaRa, whose decoder the endpoint serves";
    const what = `${send}: "memory" ${needs}; set send: "text", or ${model} to the folder that import has made`;
    found.push({ settings: [send, model], what });
  }
  if (expansion.when === "always" || !compression.enabled) {
    const other = compression.enabled ? when : "compression.enabled";
    const value = compression.enabled ? '"always"' : "false";
    const what = `${send}: "memory" sends no text, and ${other}: ${value} asks for it; change one of them`;
    found.push({ settings: [send, other], what });
  }
  return found;
}

/**
 * Settings of the file that what writes the answers cannot honour: the embedded model, or an endpoint's. That is no mistake,
 * since another model can; what other models cannot honour is known only to them.
 */
export function notes(config: RagConfig, sources: Readonly<Record<string, Source>>): string[] {
  const inFile = (name: string): boolean => sources[name]?.from === "file";
  if (config.generation.endpoint) return endpointNotes(config, config.generation.endpoint, inFile);
  return config.compression.model === EMBEDDED_MODEL ? embeddedNotes(config, inFile) : [];
}

function embeddedNotes({ generation, cognitiveBrain }: RagConfig, inFile: (name: string) => boolean): string[] {
  const { temperature, maxNewTokens } = generation;
  const found: string[] = [];
  if (inFile("generation.temperature") && temperature > 0) {
    found.push(`generation.temperature: ${temperature} has no effect with ${EMBEDDED_MODEL}, whose answers are quotes`);
  }
  if (inFile("generation.max_new_tokens") && maxNewTokens > LONGEST_QUOTE) {
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

function endpointNotes(
  { cognitiveBrain, guardrails }: RagConfig,
  { url, keyVariable, send }: EndpointConfig,
  inFile: (name: string) => boolean,
): string[] {
  const found: string[] = [];
  const { protocol, hostname } = new URL(url);
  if (protocol === "http:" && !/^(?:localhost|127\.[\d.]+|\[::1\])$/.test(hostname)) {
    const what = keyVariable === undefined ? "questions and documents go" : "key, questions and documents go";
    found.push(`generation.endpoint.url: ${what} to ${hostname} unencrypted; use https where others share the network`);
  }
  if (inFile("guardrails.min_confidence") && guardrails.minConfidence > 0 && send === "text") {
    const why = "how sure a model behind an endpoint is of its words is not how probably it is right";
    found.push(`guardrails.min_confidence: ${guardrails.minConfidence} has no effect with generation.endpoint: ${why}`);
  }
  for (const name of ["persona", "tone"] as const) {
    if (send === "memory" && cognitiveBrain[name] !== undefined)
      found.push(
        `cognitive_brain.${name} has no effect with memories: the prompt that CLaRa was taught has no place for it`,
      );
  }
  return found;
}
