import type { ClaraErrorCode } from "@clara/core";
import type { EndpointWords } from "./endpoint.ts";

/** Why a request gave nothing. */
export interface Failure {
  readonly code: ClaraErrorCode;
  readonly problem: string;
  /** What to do about it. */
  readonly advice: string;
  /** Whether the same request may succeed later. */
  readonly again: boolean;
  /** ms that the endpoint asks to wait first. */
  readonly waitMs?: number | undefined;
  readonly cause?: unknown;
}

export interface Refused {
  readonly status: number;
  readonly headers: Headers;
  readonly body: string;
  readonly model: string;
  /** How the caller calls things. */
  readonly says: Required<EndpointWords>;
  /** Whether the prompt was sent as embeddings. */
  readonly embeddings: boolean;
  /** ms since 1970. */
  readonly now: number;
}

/** What an answer with a status other than 2xx means. */
export function refusal({ status, headers, body, model, says, embeddings, now }: Refused): Failure {
  const said = serverMessage(body);
  const failure = (code: ClaraErrorCode, advice: string, again = false): Failure => ({
    code,
    problem: `answered ${status}: ${said || "(nothing)"}`,
    advice,
    again,
  });
  if (status === 401 || status === 403) return failure("option", `check ${says.key}, and what the key may be used for`);
  if (status === 404) {
    return failure(
      "option",
      /model/i.test(said)
        ? `it serves no ${says.model} ${JSON.stringify(model)}; GET …/v1/models lists those it serves`
        : `check ${says.address}: it must end where /completions is to follow, mostly in /v1`,
    );
  }
  if (status >= 300 && status < 400) {
    return failure(
      "option",
      `it points to ${headers.get("location") ?? "elsewhere"}: give that address as ${says.address}`,
    );
  }
  if (embeddings && /enable[-_]prompt[-_]embeds/i.test(said)) {
    return failure("unsupported", "start vLLM with --enable-prompt-embeds");
  }
  if (embeddings && (status === 400 || status === 422)) {
    if (/prompt\b/i.test(said) && /required|missing|must be|provide/i.test(said)) {
      const needs = "prompts as embeddings need vLLM 0.9 or later, started with --enable-prompt-embeds";
      return failure("unsupported", `${needs}; other endpoints take context text`);
    }
    const fits = "is the model it serves the decoder that the memories were made for?";
    return failure("input", /size|shape|dimension|tensor/i.test(said) ? fits : "");
  }
  if (status === 413) {
    return failure("input", `give fewer documents${embeddings ? ", or send the embeddings as F16 or BF16" : ""}`);
  }
  if (status >= 400 && status < 500 && status !== 429) return failure("input", "");
  const again = [429, 502, 503, 504].includes(status);
  const log = embeddings
    ? "vLLM may answer so to embeddings that are not as wide as its model"
    : `some answer so where they have no ${says.model} ${JSON.stringify(model)}`;
  const advice = again ? "is it starting, or has it too much to do?" : `look into its log; ${log}`;
  return { ...failure("io", advice, again), waitMs: retryAfter(headers.get("retry-after"), now) };
}

/** What the server says in its body: OpenAI's, vLLM's and FastAPI's ways, else the body without tags. */
export function serverMessage(body: string): string {
  let json: { error?: unknown; message?: unknown; detail?: unknown } | null;
  try {
    json = JSON.parse(body);
  } catch {
    return body
      .replace(/<(style|script)\b.*?<\/\1>/gis, " ")
      .replace(/<[^>]*>/g, " ")
      .trim();
  }
  const { error, message, detail } = json ?? {};
  const said = (error as { message?: unknown } | undefined)?.message ?? message ?? detail ?? error ?? json;
  return typeof said === "string" ? said : JSON.stringify(said);
}

/** ms, from seconds or a date. @see https://www.rfc-editor.org/rfc/rfc9110#name-retry-after */
function retryAfter(said: string | null, now: number): number | undefined {
  if (said === null) return undefined;
  const ms = /^\s*\d+\s*$/.test(said) ? Number(said) * 1000 : Date.parse(said) - now;
  return Number.isNaN(ms) ? undefined : Math.max(0, ms);
}
