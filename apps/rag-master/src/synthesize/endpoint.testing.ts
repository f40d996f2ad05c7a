import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

export interface Asked {
  readonly headers: IncomingMessage["headers"];
  readonly model: string;
  /** The last message; empty where there are none. */
  readonly prompt: string;
  readonly path: string;
  // biome-ignore lint/suspicious/noExplicitAny: JSON
  readonly body: any;
}

/** What the endpoint does with a request: a text is its reply; a function may do anything else. */
export type Behaviour = string | ((response: ServerResponse) => void);

export interface Endpoint {
  /** As --endpoint takes it. */
  readonly url: string;
  readonly asked: readonly Asked[];
  close(): Promise<void>;
}

/** An OpenAI-compatible endpoint on this machine, which does what a test says. */
export async function startEndpoint(behave: (asked: Asked, count: number) => Behaviour): Promise<Endpoint> {
  const asked: Asked[] = [];
  const server = createServer(async (request, response) => {
    let body = "";
    for await (const piece of request) body += piece;
    const sent = JSON.parse(body);
    const { model, messages = [] } = sent;
    const prompt = messages.at(-1)?.content ?? "";
    const one = { headers: request.headers, model, prompt, path: request.url!, body: sent };
    asked.push(one);
    const does = behave(one, asked.length);
    if (typeof does === "function") return does(response);
    response.setHeader("content-type", "application/json");
    response.end(
      JSON.stringify({
        choices: [{ message: { role: "assistant", content: does } }],
        usage: { prompt_tokens: 100, completion_tokens: 10 },
      }),
    );
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`,
    asked,
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

export function fails(status: number, body = "busy", headers: Record<string, string> = {}): Behaviour {
  return (response) => response.writeHead(status, headers).end(body);
}

/** Begins a reply and never ends it. */
export const stalls: Behaviour = (response) => {
  response.writeHead(200, { "content-type": "application/json" });
  response.write('{"choices": [');
};
