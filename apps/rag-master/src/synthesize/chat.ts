import { setTimeout as sleep } from "node:timers/promises";
import { ClaraError, throwIfAborted } from "@clara/core";

export interface Message {
  readonly role: "system" | "user";
  readonly content: string;
}

export interface ChatRequest {
  readonly messages: readonly Message[];
  /** 0 to 2. */
  readonly temperature: number;
}

export interface ChatReply {
  readonly content: string;
  /** Tokens as the endpoint counts them; 0 where it does not say. */
  readonly tokens: { readonly in: number; readonly out: number };
}

export type Chat = (request: ChatRequest) => Promise<ChatReply>;

export interface ChatOptions {
  /** Base address as in "http://127.0.0.1:8000/v1", or all of it up to "/chat/completions". */
  readonly endpoint: string;
  readonly model: string;
  /** Sent as a bearer token, never shown. */
  readonly key?: string;
  /** Longest reply, in tokens. @default 2048 */
  readonly maxTokens?: number;
  /** For one request, its whole reply included. @default 120_000 */
  readonly timeoutMs?: number;
  /** Further tries after 408, 429, 5xx, a broken connection or a time-out. @default 5 */
  readonly retries?: number;
  /** Before the first retry; doubled each time, unless the endpoint says how long. @default 1000 */
  readonly backoffMs?: number;
  readonly signal?: AbortSignal;
}

const mostBytes = 4_000_000;
const longestWaitMs = 120_000;

/** The address that requests go to. @throws ClaraError "option" for what is no http address */
export function chatUrl(endpoint: string): string {
  const url = URL.canParse(endpoint) ? new URL(endpoint) : null;
  if (url === null || !/^https?:$/.test(url.protocol) || url.username !== "") {
    throw new ClaraError(
      "option",
      `--endpoint: needs an address such as http://127.0.0.1:8000/v1 (no user or password in it), got "${endpoint.replace(/\/\/[^/@]*@/, "//…@")}"`,
    );
  }
  const path = url.pathname.replace(/\/+$/, "");
  url.pathname = path.endsWith("/chat/completions") ? path : `${path}/chat/completions`;
  return url.href;
}

/**
 * A client of any OpenAI-compatible endpoint.
 *
 * @throws ClaraError "io" when it cannot be reached, refuses or stalls, after the retries; "input" when what it sends
 *   is no reply; "aborted"
 */
export function chatClient(options: ChatOptions): Chat {
  const {
    endpoint,
    model,
    key,
    maxTokens = 2048,
    timeoutMs = 120_000,
    retries = 5,
    backoffMs = 1000,
    signal,
  } = options;
  const url = chatUrl(endpoint);
  const hide = (text: string): string => (key ? text.replaceAll(key, "***") : text);
  return async ({ messages, temperature }) => {
    for (let attempt = 0; ; attempt++) {
      throwIfAborted(signal, "synthesize");
      const outcome = await once();
      if ("reply" in outcome) return outcome.reply;
      if (!outcome.again || attempt >= retries) {
        const tries = attempt > 0 ? `, ${attempt + 1} times` : "";
        throw new ClaraError(outcome.code, hide(`${url}: ${outcome.problem}${tries}${outcome.advice}`));
      }
      const wait = Math.min(outcome.waitMs ?? backoffMs * 2 ** attempt, longestWaitMs);
      await sleep(wait, undefined, { ...(signal && { signal }) }).catch(() => {});
    }

    async function once(): Promise<{ reply: ChatReply } | Failure> {
      const time = AbortSignal.timeout(timeoutMs);
      try {
        const response = await fetch(url, {
          method: "POST",
          headers: { "content-type": "application/json", ...(key && { authorization: `Bearer ${key}` }) },
          body: JSON.stringify({ model, messages, temperature, max_tokens: maxTokens, stream: false }),
          // A key is for the address it was given for.
          redirect: "manual",
          signal: signal ? AbortSignal.any([signal, time]) : time,
        });
        const body = await readBody(response);
        return response.ok ? replyOf(body, hide) : refusal(response, body);
      } catch (error) {
        throwIfAborted(signal, "synthesize");
        const problem = time.aborted
          ? `no whole reply within ${timeoutMs / 1000} s`
          : `cannot be reached (${reasonOf(error)})`;
        return {
          code: "io",
          problem,
          again: true,
          advice: time.aborted ? "; give it longer with --timeout" : "; is it running, is the address right?",
        };
      }
    }
  };
}

interface Failure {
  readonly code: "io" | "input" | "option";
  readonly problem: string;
  readonly again: boolean;
  readonly advice: string;
  readonly waitMs?: number | undefined;
}

/** An endless reply must not fill the memory. */
async function readBody(response: Response): Promise<string> {
  const pieces: Uint8Array[] = [];
  let bytes = 0;
  for await (const piece of response.body ?? []) {
    bytes += piece.length;
    if (bytes > mostBytes) throw new Error(`its reply is longer than ${mostBytes} bytes`);
    pieces.push(piece);
  }
  return Buffer.concat(pieces).toString("utf8");
}

function replyOf(body: string, hide: (text: string) => string): { reply: ChatReply } | Failure {
  let json: {
    choices?: { message?: { content?: unknown } }[];
    usage?: { prompt_tokens?: unknown; completion_tokens?: unknown };
  };
  try {
    json = JSON.parse(body);
  } catch {
    return {
      code: "input",
      problem: `its reply is not JSON: ${excerpt(body)}`,
      again: true,
      advice: "; is this a chat/completions endpoint?",
    };
  }
  const content = json?.choices?.[0]?.message?.content;
  if (typeof content !== "string") {
    return {
      code: "input",
      problem: `its reply has no choices[0].message.content: ${excerpt(body)}`,
      again: true,
      advice: "; is this a chat/completions endpoint?",
    };
  }
  const count = (value: unknown): number => (typeof value === "number" && value >= 0 ? value : 0);
  return {
    reply: {
      content: hide(content),
      tokens: { in: count(json.usage?.prompt_tokens), out: count(json.usage?.completion_tokens) },
    },
  };
}

function refusal(response: Response, body: string): Failure {
  const { status } = response;
  const problem = `answered ${status} ${response.statusText}: ${excerpt(body)}`.trim();
  if (status === 401 || status === 403)
    return {
      code: "option",
      problem,
      again: false,
      advice: "; put the key into the environment variable that --key-env names",
    };
  if (status === 404) return { code: "option", problem, again: false, advice: "; check --endpoint and --model" };
  if (status >= 300 && status < 400)
    return {
      code: "option",
      problem,
      again: false,
      advice: `; it points to ${response.headers.get("location") ?? "elsewhere"}: give that address`,
    };
  const again = status === 408 || status === 409 || status === 429 || status >= 500;
  return {
    code: "io",
    problem,
    again,
    advice: again ? "; what was answered so far is kept: run the same command again later" : "",
    waitMs: retryAfter(response),
  };
}

function retryAfter(response: Response): number | undefined {
  const said = response.headers.get("retry-after");
  if (said === null) return undefined;
  const seconds = Number(said);
  const ms = Number.isFinite(seconds) ? seconds * 1000 : Date.parse(said) - Date.now();
  return ms >= 0 ? ms : undefined;
}

function reasonOf(error: unknown): string {
  const { cause, message } = error as Error & { cause?: { code?: string; message?: string } };
  return cause?.code ?? cause?.message ?? message;
}

function excerpt(text: string): string {
  const line = text.replace(/\s+/g, " ").trim();
  return line === "" ? "(nothing)" : line.length > 120 ? `${line.slice(0, 120)}…` : line;
}
