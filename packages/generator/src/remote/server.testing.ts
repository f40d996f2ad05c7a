import { createServer, type IncomingHttpHeaders, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { readTorchFile, type TorchTensor } from "@clara/model";
import type { Clock } from "./clock.ts";

export interface Asked {
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  // biome-ignore lint/suspicious/noExplicitAny: JSON
  readonly body: any;
}

export type Behaviour = (response: ServerResponse) => void;

export interface Server {
  /** Base address. */
  readonly endpoint: string;
  readonly asked: readonly Asked[];
  close(): Promise<void>;
}

/** An endpoint on this machine. The n-th request meets the n-th behaviour, those after the last the last. */
export async function startServer(...behaviours: readonly Behaviour[]): Promise<Server> {
  const asked: Asked[] = [];
  const server = createServer(async (request, response) => {
    let body = "";
    for await (const piece of request) body += piece;
    asked.push({ path: request.url!, headers: request.headers, body: JSON.parse(body) });
    behaviours[Math.min(asked.length, behaviours.length) - 1]!(response);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`,
    asked,
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

export function replies(body: unknown, status = 200, headers: Record<string, string> = {}): Behaviour {
  const text = typeof body === "string" ? body : JSON.stringify(body);
  return (response) => response.writeHead(status, { "content-type": "application/json", ...headers }).end(text);
}

/** Events of a stream; `end` is what becomes of it after them. */
export function streams(events: readonly unknown[], end: Behaviour = (response) => response.end()): Behaviour {
  return (response) => {
    response.writeHead(200, { "content-type": "text/event-stream; charset=utf-8" });
    const text = (event: unknown): string => (typeof event === "string" ? event : JSON.stringify(event));
    response.write(events.map((event) => `data: ${text(event)}\n\n`).join(""), () => end(response));
  };
}

/** A whole answer of /completions as vLLM gives it. */
export function completion(text: string, logprobs: readonly number[] = [-0.5, -0.1]): object {
  return {
    object: "text_completion",
    choices: [{ index: 0, text, logprobs: { token_logprobs: logprobs }, finish_reason: "stop" }],
    usage: { prompt_tokens: 7, completion_tokens: logprobs.length },
  };
}

export function chunk(text: string, finish: string | null = null): object {
  return { choices: [{ index: 0, text, logprobs: { token_logprobs: [-0.25] }, finish_reason: finish }] };
}

export interface TestClock extends Clock {
  readonly waits: readonly number[];
  /** Rings the alarm that is set. */
  ring(): void;
  /** From now on alarms of so many ms ring at once. */
  ringAt(ms: number): void;
}

/** 21 November 2026, noon. Nothing waits; alarms ring when a test says so. */
export function testClock(): TestClock {
  const waits: number[] = [];
  let current: (() => void) | undefined;
  let atOnce: number | undefined;
  return {
    waits,
    now: () => Date.UTC(2026, 10, 21, 12),
    random: () => 0.5,
    sleep: async (ms) => void waits.push(ms),
    alarm: (ms, ring) => {
      current = ring;
      if (ms === atOnce) queueMicrotask(() => current?.());
      return () => {
        current = undefined;
      };
    },
    ring: () => current?.(),
    ringAt: (ms) => {
      atOnce = ms;
    },
  };
}

/** Reads what was sent as `prompt_embeds`: base64, a torch file, one tensor that is not in a dict. */
export function readPromptEmbeds(base64: string): TorchTensor {
  if (!/^[A-Za-z0-9+/]+=*$/.test(base64)) throw new Error("not base64");
  const { "": tensor } = readTorchFile(Buffer.from(base64, "base64"));
  if (tensor === undefined) throw new Error("not one tensor");
  return tensor;
}
