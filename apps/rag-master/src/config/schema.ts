import { z } from "zod";
import type { EndpointConfig, RagConfig } from "./types.ts";

/** The embedded model; notes are about it, since what other models can do is known only once they are loaded. */
export const EMBEDDED_MODEL = "@clara/mini";

// Every setting says what it expects in words: zod's `error` carries them to the message, after "must be".
const flag = (fallback: boolean) => z.boolean({ error: "true or false" }).default(fallback);
const text = () => z.string({ error: "a text" }).trim().min(1, { error: "a text that is not empty" });
const oneOf = <const T extends readonly [string, ...string[]]>(words: T, fallback: NoInfer<T[number]>) =>
  z.enum(words, { error: words.map((word) => JSON.stringify(word)).join(" or ") }).default(fallback as never);
function integer(min: number, max: number, fallback: number) {
  const error = `a whole number from ${min} to ${max}`;
  return z.int({ error }).min(min, { error }).max(max, { error }).default(fallback);
}
function real(min: number, max: number, fallback: number) {
  const error = `a number from ${min} to ${max}`;
  return z.number({ error }).min(min, { error }).max(max, { error }).default(fallback);
}
/** A section with nothing in it (`retrieval:`, all lines commented out) is all defaults. */
const section = <T extends z.ZodRawShape>(shape: T) =>
  z.preprocess((value) => value ?? {}, z.strictObject(shape, { error: "a section with settings" }));
/** One with nothing in it is none. */
const optionalSection = <T extends z.ZodRawShape>(shape: T, error: string) =>
  z.preprocess((value) => (isEmpty(value) ? undefined : value), z.strictObject(shape, { error }).optional());

const address = { error: "an address such as http://127.0.0.1:8000/v1, without user, password or query" };
/** In capitals, as such names mostly are and keys are not: a key that is written here by mistake must not go unseen. */
const variable = { error: "the name of an environment variable, in capitals, such as OPENAI_API_KEY" };

const schema = section({
  compression: section({
    enabled: flag(true),
    model: text().default(EMBEDDED_MODEL),
    rate: integer(1, 256, 16),
  }),
  retrieval: section({
    dense_top_k: integer(0, 37, 12),
    sparse_top_k: integer(0, 37, 25),
    fusion: oneOf(["union", "rrf", "weighted"], "union"),
  }),
  reranking: section({ top_k: integer(1, 37, 5), min_score: real(0, 1, 0.55) }),
  generation: section({
    max_new_tokens: integer(1, 4096, 256),
    temperature: real(0, 2, 0.7),
    endpoint: optionalSection(
      {
        url: z.string(address).trim().refine(isAddress, address),
        model: text(),
        key_variable: z
          .string(variable)
          .trim()
          .regex(/^[A-Z_][A-Z0-9_]*$/, variable)
          .optional(),
        send: oneOf(["text", "memory"], "text"),
        timeout_seconds: integer(1, 3600, 120),
        retries: integer(0, 20, 3),
      },
      "a section with url and model",
    ),
  }),
  guardrails: section({
    allow_out_of_context: flag(false),
    require_citations: flag(true),
    min_confidence: real(0, 1, 0.15),
    input: section({ max_characters: integer(1, 1_000_000, 4000) }),
    output: section({ blocked: z.array(text(), { error: "a list of texts" }).default([]) }),
  }),
  citations: section({ max: integer(1, 37, 5) }),
  expansion: section({
    when: oneOf(["never", "gate", "always"], "gate"),
    windows: integer(1, 64, 4),
    neighbours: integer(0, 8, 1),
    max_tokens: integer(1, 4096, 384),
  }),
  cognitive_brain: section({
    persona: text().optional(),
    tone: text().optional(),
    refusal_message: text().default("I could not find an answer to this in the documents."),
  }),
});

type Settings = z.output<typeof schema>;

/** Settings that have no default to be listed by. */
export const optionalSettings: readonly string[] = [
  ...["url", "model", "key_variable", "send", "timeout_seconds", "retries"].map(
    (name) => `generation.endpoint.${name}`,
  ),
  "cognitive_brain.persona",
  "cognitive_brain.tone",
];

/** One thing wrong with a value: where, and what was expected there. `unknown`: the last key of the path is no setting. */
export interface Problem {
  readonly path: readonly (string | number)[];
  readonly expected: string;
  readonly unknown: boolean;
}

/** Checks what stood under `rag_master:`; the configuration when it is right, all problems when it is not. */
export function checkSettings(value: unknown): { config: RagConfig } | { problems: Problem[] } {
  const checked = schema.safeParse(value);
  if (checked.success) return { config: toConfig(checked.data) };
  const problems = checked.error.issues.flatMap((issue): Problem[] => {
    const path = issue.path.map((key) => (typeof key === "number" ? key : String(key)));
    if (issue.code !== "unrecognized_keys") return [{ path, expected: issue.message, unknown: false }];
    return issue.keys.map((key) => ({ path: [...path, key], expected: "", unknown: true }));
  });
  return { problems };
}

function toConfig({ guardrails, expansion, cognitive_brain: brain, ...rest }: Settings): RagConfig {
  const { compression, retrieval, reranking, generation, citations } = rest;
  return {
    compression,
    retrieval: {
      denseTopK: retrieval.dense_top_k,
      sparseTopK: retrieval.sparse_top_k,
      fusion: retrieval.fusion,
    },
    reranking: { topK: reranking.top_k, minScore: reranking.min_score },
    generation: {
      maxNewTokens: generation.max_new_tokens,
      temperature: generation.temperature,
      ...(generation.endpoint && { endpoint: toEndpoint(generation.endpoint) }),
    },
    guardrails: {
      allowOutOfContext: guardrails.allow_out_of_context,
      requireCitations: guardrails.require_citations,
      minConfidence: guardrails.min_confidence,
      input: { maxCharacters: guardrails.input.max_characters },
      output: { blocked: guardrails.output.blocked },
    },
    citations,
    expansion: {
      when: expansion.when,
      windows: expansion.windows,
      neighbours: expansion.neighbours,
      maxTokens: expansion.max_tokens,
    },
    cognitiveBrain: {
      ...(brain.persona === undefined ? {} : { persona: brain.persona }),
      ...(brain.tone === undefined ? {} : { tone: brain.tone }),
      refusalMessage: brain.refusal_message,
    },
  };
}

function toEndpoint({
  url,
  model,
  key_variable: keyVariable,
  send,
  ...rest
}: NonNullable<Settings["generation"]["endpoint"]>): EndpointConfig {
  const { timeout_seconds: timeoutSeconds, retries } = rest;
  return { url, model, ...(keyVariable !== undefined && { keyVariable }), send, timeoutSeconds, retries };
}

function isEmpty(value: unknown): boolean {
  return value == null || (typeof value === "object" && Object.keys(value).length === 0);
}

function isAddress(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const { protocol, username, password, search } = new URL(text);
  return /^https?:$/.test(protocol) && username + password + search === "";
}
