import { ClaraError, throwIfAborted } from "@clara/core";
import { checkEndpoint, type EndpointOptions } from "./endpoint.ts";
import { type Failure, refusal } from "./refusal.ts";

export interface Post<T> {
  /** "completions" or "chat/completions". */
  readonly path: string;
  /** What is sent, besides the model's name. */
  readonly body: Readonly<Record<string, unknown>>;
  /** Whether the prompt in it is embeddings: decides what a refusal means. */
  readonly embeddings: boolean;
  readonly signal?: AbortSignal | undefined;
  /** Makes a value of the answer. What it throws is thrown on, and nothing is tried again. */
  readonly read: (answer: Answer) => Promise<T>;
  /** Whether a part of the answer is with the caller already, so that it cannot be begun again. */
  readonly begun?: () => boolean;
}

export interface Answer {
  /** Media type, such as "text/event-stream". */
  readonly type: string;
  readonly pieces: AsyncIterable<Uint8Array>;
  /** An error that names the endpoint and shows no key. */
  error(code: "io" | "input", problem: string): ClaraError;
}

/** An endless answer must not fill the memory. */
const mostBytes = 16 * 2 ** 20;

/**
 * Requests to one endpoint: time-outs, retries, and errors that say what to do. Redirects are not followed: a key is for
 * the address it was given for.
 *
 * @throws ClaraError "option" for an impossible setting, and from a request: "io" when the endpoint cannot be reached,
 *   stalls, breaks off or fails; "option" when it does not know the key, the model or the address; "input" and
 *   "unsupported" when it refuses the request; "aborted".
 */
export function transport(options: EndpointOptions): <T>(post: Post<T>) => Promise<T> {
  const { url, headers, model, says, show, fetch, clock, ...patience } = checkEndpoint(options);
  return async <T>(post: Post<T>): Promise<T> => {
    const { path, signal, begun = () => false } = post;
    const json = JSON.stringify({ model, ...post.body });
    const seconds = (ms: number): string => `${ms / 1000} s`;
    for (let attempt = 0; ; attempt++) {
      throwIfAborted(signal, says.name);
      const outcome = await once();
      if ("value" in outcome) return outcome.value;
      const wait = outcome.waitMs ?? patience.backoffMs * 2 ** attempt * (0.5 + clock.random() / 2);
      const tries = attempt > 0 ? `, after ${attempt + 1} tries` : "";
      if (!outcome.again || begun() || attempt >= patience.retries) throw failed(outcome, tries);
      if (wait > patience.longestWaitMs && outcome.waitMs !== undefined) {
        throw failed(outcome, `${tries}, and asks to wait for ${seconds(Math.ceil(wait))}`);
      }
      await clock.sleep(Math.min(wait, patience.longestWaitMs), signal);
    }

    async function once(): Promise<{ readonly value: T } | Failure> {
      const stop = new AbortController();
      let cancel = (): void => {};
      let late: string | undefined;
      const expect = (ms: number, problem: string): void => {
        cancel();
        cancel = clock.alarm(ms, () => {
          late = `${problem} ${seconds(ms)}`;
          stop.abort();
        });
      };
      let broken: { readonly reason: unknown; readonly inside: boolean } | undefined;
      try {
        expect(patience.connectTimeoutMs, "did not begin to answer within");
        const response = await fetch(url(path), {
          method: "POST",
          headers,
          body: json,
          redirect: "manual",
          signal: signal ? AbortSignal.any([signal, stop.signal]) : stop.signal,
        }).catch((reason) => {
          broken = { reason, inside: false };
          throw reason;
        });
        const pieces = read(response);
        if (!response.ok) {
          const { status, headers } = response;
          const body = await text(pieces);
          return refusal({ status, headers, body, model, says, embeddings: post.embeddings, now: clock.now() });
        }
        const type = (response.headers.get("content-type") ?? "").replace(/;.*/s, "").trim().toLowerCase();
        return { value: await post.read({ type, pieces, error }) };
      } catch (cause) {
        if (broken === undefined) throw cause;
        throwIfAborted(signal, says.name);
        if (late !== undefined) {
          return {
            code: "io",
            problem: late,
            advice: `is it busy with others? give it more time: ${says.patience}`,
            again: false,
          };
        }
        const reason = show(reasonOf(broken.reason));
        return broken.inside
          ? { code: "io", problem: `broke off in the middle of its answer (${reason})`, advice: "", again: true, cause }
          : {
              code: "io",
              problem: `cannot be reached (${reason})`,
              advice: "is it running, is the address right?",
              again: true,
              cause,
            };
      } finally {
        cancel();
        stop.abort(); // lets go of what was not read
      }

      async function* read(response: Response): AsyncGenerator<Uint8Array, void, undefined> {
        let bytes = 0;
        const silent = "sent nothing more for";
        const reader = response.body?.getReader();
        for (;;) {
          expect(patience.idleTimeoutMs, silent);
          const next = await reader?.read().catch((reason) => {
            broken = { reason, inside: true };
            throw reason;
          });
          if (next?.value === undefined) return;
          bytes += next.value.length;
          if (bytes > mostBytes)
            throw error("input", `sent more than ${mostBytes} bytes; is it an endpoint of a language model?`);
          cancel();
          yield next.value;
        }
      }
    }

    function error(code: "io" | "input", problem: string): ClaraError {
      return new ClaraError(code, `${says.name}: ${url(path)} ${show(problem)}`);
    }

    function failed({ code, problem, advice, cause }: Failure, tries: string): ClaraError {
      const text = `${says.name}: ${url(path)} ${show(problem)}${tries}${advice && `; ${show(advice)}`}`;
      return new ClaraError(code, text, { cause });
    }
  };
}

/** All of an answer. */
export async function text(pieces: AsyncIterable<Uint8Array>): Promise<string> {
  const decoder = new TextDecoder();
  let all = "";
  for await (const piece of pieces) all += decoder.decode(piece, { stream: true });
  return all + decoder.decode();
}

/** Node's fetch fails with "fetch failed", and says why in the cause. */
function reasonOf(error: unknown): string {
  const { cause, message } = error as Error & { cause?: { code?: string; message?: string } };
  return cause?.code ?? cause?.message ?? message ?? String(error);
}
