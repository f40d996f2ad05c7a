import { ClaraError } from "@clara/core";
import { type Clock, systemClock } from "./clock.ts";

/** An endpoint that speaks OpenAI's protocol, as vLLM does, and how patient to be with it. */
export interface EndpointOptions {
  /** Base address, such as "http://127.0.0.1:8000/v1". */
  readonly endpoint: string;
  /** The name under which the endpoint serves the model. */
  readonly model: string;
  /** Sent as a bearer token, never shown. */
  readonly apiKey?: string | undefined;
  /** ms until the endpoint begins to answer; without streaming, until it has thought of all of it. @default 60_000 */
  readonly connectTimeoutMs?: number;
  /** ms between two pieces of an answer. @default 30_000 */
  readonly idleTimeoutMs?: number;
  /** Further tries after 429, 502, 503, 504 and broken connections. @default 3 */
  readonly retries?: number;
  /** ms before the first retry, half of it by chance; doubled each time, unless the endpoint says how long. @default 500 */
  readonly backoffMs?: number;
  /** Longest wait before a retry, in ms. An endpoint that asks for more is given up. @default 60_000 */
  readonly longestWaitMs?: number;
  /** How messages call things, where the caller has names of its own for them. */
  readonly says?: EndpointWords;
  /** @default the global one */
  readonly fetch?: typeof globalThis.fetch;
  /** @default the system's */
  readonly clock?: Clock;
}

export interface EndpointWords {
  /** What messages begin with. @default "remoteGenerator" */
  readonly name?: string;
  /** @default "endpoint" */
  readonly address?: string;
  /** @default "model" */
  readonly model?: string;
  /** @default "apiKey" */
  readonly key?: string;
  /** @default "connectTimeoutMs and idleTimeoutMs" */
  readonly patience?: string;
}

export interface Endpoint extends Required<Omit<EndpointOptions, "endpoint" | "apiKey" | "says">> {
  readonly says: Required<EndpointWords>;
  url(path: string): string;
  readonly headers: Readonly<Record<string, string>>;
  /** A text for people: the key taken out, white space evened, at most 300 characters. */
  show(text: string): string;
}

/** @throws ClaraError "option" for an address, model, key or number that cannot be meant. */
export function checkEndpoint({ endpoint, apiKey, model, says, ...rest }: EndpointOptions): Endpoint {
  const words = wordsOf(says);
  const fail = (problem: string): never => {
    throw new ClaraError("option", `${words.name}: ${problem}`);
  };
  const base = URL.canParse(endpoint) ? new URL(endpoint) : null;
  if (base === null || !/^https?:$/.test(base.protocol) || base.username + base.password + base.search !== "") {
    const needs = "an address such as http://127.0.0.1:8000/v1, without user, password or query";
    fail(`${words.address} must be ${needs}, got ${JSON.stringify(endpoint.replace(/\/\/[^/@]*@|\?.*/g, "…"))}`);
  }
  if (model === "")
    fail(`${words.model} must be the name under which the endpoint serves the model, got an empty text`);
  // fetch would refuse such a header with a message that shows it.
  if (apiKey !== undefined && !/^[\x21-\x7e]+$/.test(apiKey)) {
    fail(`${words.key} must be printable ASCII without spaces; was a line break copied with it?`);
  }
  const options = {
    connectTimeoutMs: 60_000,
    idleTimeoutMs: 30_000,
    retries: 3,
    backoffMs: 500,
    longestWaitMs: 60_000,
    fetch: globalThis.fetch,
    clock: systemClock,
    ...rest,
  };
  for (const name of ["connectTimeoutMs", "idleTimeoutMs", "retries", "backoffMs", "longestWaitMs"] as const) {
    if (!(options[name] >= 0)) fail(`${name} must be 0 or more, got ${options[name]}`);
  }
  const path = base!.pathname.replace(/\/+$/, "").replace(/(\/chat)?\/completions$/, "");
  const secrets = apiKey === undefined ? [] : [apiKey, JSON.stringify(apiKey).slice(1, -1), encodeURIComponent(apiKey)];
  return {
    ...options,
    model,
    says: words,
    url: (tail) => `${base!.origin}${path}/${tail}`,
    headers: { "content-type": "application/json", ...(apiKey !== undefined && { authorization: `Bearer ${apiKey}` }) },
    show: (text) => {
      const hidden = secrets.reduce((all, secret) => all.replaceAll(secret, "***"), text);
      const line = hidden.replace(/\s+/g, " ").trim();
      return line.length > 300 ? `${line.slice(0, 300)}…` : line;
    },
  };
}

export function wordsOf({
  name = "remoteGenerator",
  address = "endpoint",
  model = "model",
  key = "apiKey",
  patience = "connectTimeoutMs and idleTimeoutMs",
}: EndpointWords = {}): Required<EndpointWords> {
  return { name, address, model, key, patience };
}
