import { ClaraError, throwIfAborted } from "@clara/core";
import type { ChatMessage } from "@clara/model";
import { type EndpointOptions, wordsOf } from "./endpoint.ts";
import { serverMessage } from "./refusal.ts";
import { serverSentEvents } from "./server-sent-events.ts";
import { type PromptDtype, torchTensor } from "./torch-tensor.ts";
import { type Answer, text, transport } from "./transport.ts";

export interface RemoteModelOptions extends EndpointOptions {
  /** Longest answer in tokens. @default 128 */
  readonly maxTokens?: number;
  /** 0 takes the likeliest token each time. @default 0 */
  readonly temperature?: number;
  /** Of the endpoint's draws, with a temperature above 0. @default the endpoint's */
  readonly seed?: number | undefined;
  /** Texts that end the answer, besides the model's own end. @default none */
  readonly stop?: readonly string[];
  /** Whether to ask how probable each token was; some endpoints know no such thing. @default true */
  readonly logprobs?: boolean;
  /**
   * What embeddings are sent as. F32 loses nothing; the others halve the request, BF16 without loss where the model computes
   * in bfloat16. @default "F32"
   */
  readonly dtype?: PromptDtype;
}

export interface RemoteOptions {
  readonly signal?: AbortSignal | undefined;
  /** Called with pieces of the text as they come; joined they are `text`. Without it the answer is not streamed. */
  readonly onToken?: ((piece: string) => void) | undefined;
}

export interface Completion {
  /** Without the white space around it. Empty only where a model that continues a prompt ended at once (`finish` "stop"). */
  readonly text: string;
  /** Why it ended, as the endpoint says: "stop", "length" where `maxTokens` cut it, … */
  readonly finish: string | null;
  /** Mean log-probability of its tokens in nats, at most 0. Undefined where the endpoint does not say. */
  readonly logProbability: number | undefined;
  /** As the endpoint counts them; 0 where it does not. */
  readonly tokens: { readonly prompt: number; readonly answer: number };
}

export interface RemoteModel {
  /** Continues a prompt given as embeddings [T, D]. vLLM only. */
  embedded(prompt: Float32Array, width: number, options?: RemoteOptions): Promise<Completion>;
  /** Answers chat messages; the endpoint applies its chat template. */
  chat(messages: readonly ChatMessage[], options?: RemoteOptions): Promise<Completion>;
}

/**
 * A language model behind an endpoint that speaks OpenAI's protocol.
 *
 * `embedded` sends `prompt_embeds`, the extension of vLLM (0.9 and later, with --enable-prompt-embeds): the base64 text of
 * a torch file that holds one tensor [T, D], and no `prompt`. No penalties are sent: with embeddings they end vLLM's engine.
 *
 * An endpoint that refuses `logprobs`, or wants `max_completion_tokens`, is asked again as it likes, and so from then on.
 *
 * @throws ClaraError "option" for an impossible setting; requests fail as `transport` says, and with "input" when the answer
 *   of a chat is empty, or one is not of the protocol's shape.
 * @see https://docs.vllm.ai/en/latest/features/prompt_embeds/
 */
export function remoteModel(options: RemoteModelOptions): RemoteModel {
  const { maxTokens = 128, temperature = 0, seed, stop = [], logprobs = true, dtype = "F32", ...endpoint } = options;
  const { name } = wordsOf(options.says);
  if (!(Number.isInteger(maxTokens) && maxTokens >= 1) || !(temperature >= 0)) {
    const got = `got ${maxTokens} and ${temperature}`;
    throw new ClaraError("option", `${name}: maxTokens must be at least 1 and temperature at least 0, ${got}`);
  }
  const post = transport(endpoint);
  // What endpoints differ in. They are asked in vLLM's way first, and in another's where they say that they do not know it.
  const knows = { logprobs, maxTokens: "max_tokens" };
  const ask = async (path: string, prompt: Prompt, options: RemoteOptions): Promise<Completion> => {
    try {
      return await askOnce(path, prompt, options);
    } catch (error) {
      if (!(error instanceof ClaraError) || error.code !== "input") throw error;
      if (knows.maxTokens === "max_tokens" && /max_completion_tokens/.test(error.message)) {
        knows.maxTokens = "max_completion_tokens";
      } else if (knows.logprobs && /logprobs/.test(error.message)) knows.logprobs = false;
      else throw error;
      return ask(path, prompt, options);
    }
  };
  const askOnce = (
    path: string,
    { logprobs: probabilities, ...prompt }: Prompt,
    { signal, onToken }: RemoteOptions,
  ) => {
    let begun = false;
    const embeddings = "prompt_embeds" in prompt;
    const give = (piece: string): void => {
      throwIfAborted(signal, name); // pieces that came together are many calls
      begun = true;
      onToken?.(piece);
    };
    return post({
      path,
      embeddings,
      body: {
        ...prompt,
        [knows.maxTokens]: maxTokens,
        temperature,
        ...(knows.logprobs && { logprobs: probabilities }),
        ...(seed !== undefined && { seed }),
        ...(stop.length > 0 && { stop }),
        ...(onToken ? { stream: true, stream_options: { include_usage: true } } : { stream: false }),
      },
      signal,
      begun: () => begun,
      read: (answer) => readCompletion(answer, give, { mayBeEmpty: embeddings }),
    });
  };
  return {
    embedded: async (prompt, width, asked = {}) => {
      const tensor = torchTensor(prompt, [prompt.length / width, width], dtype);
      const prompt_embeds = Buffer.from(tensor.buffer, tensor.byteOffset, tensor.byteLength).toString("base64");
      return ask("completions", { prompt_embeds, logprobs: 1 }, asked);
    },
    chat: async (messages, asked = {}) => ask("chat/completions", { messages, logprobs: true }, asked),
  };
}

/** What is asked, and how the kind of endpoint is asked for probabilities. */
interface Prompt extends Readonly<Record<string, unknown>> {
  readonly logprobs: number | boolean;
}

/** What both kinds of endpoint send, whole and in pieces. */
interface Chunk {
  readonly error?: unknown;
  readonly choices?: readonly {
    readonly text?: unknown;
    readonly message?: { readonly content?: unknown } | null;
    readonly delta?: { readonly content?: unknown } | null;
    readonly finish_reason?: unknown;
    readonly logprobs?: {
      readonly token_logprobs?: readonly unknown[] | null;
      readonly content?: readonly { readonly logprob?: unknown }[] | null;
    } | null;
  }[];
  readonly usage?: { readonly prompt_tokens?: unknown; readonly completion_tokens?: unknown } | null;
}

async function readCompletion(
  answer: Answer,
  give: (piece: string) => void,
  { mayBeEmpty }: { readonly mayBeEmpty: boolean },
): Promise<Completion> {
  const text = trimmed(give);
  const tokens = { prompt: 0, answer: 0 };
  let finish: string | null = null;
  let logSum = 0;
  let logCount = 0;
  let done = false;
  for await (const json of answer.type === "text/event-stream" ? serverSentEvents(answer.pieces) : whole(answer)) {
    if (json === "[DONE]") {
      done = true;
      break;
    }
    take(parse(json, answer), json);
  }
  if (finish === "abort" || finish === "error") {
    throw answer.error("io", `gave up in the middle of its answer (finish_reason ${finish}), is it going down?`);
  }
  if (!done && finish === null) {
    throw answer.error("io", `broke off in the middle of its answer, after ${text.all().length} characters`);
  }
  if (text.all() === "" && !(mayBeEmpty && finish === "stop")) {
    throw answer.error("input", `gave an empty answer (finish_reason ${finish}, ${tokens.answer} tokens)`);
  }
  return { text: text.all(), finish, logProbability: logCount > 0 ? logSum / logCount : undefined, tokens };

  function take({ error, choices, usage }: Chunk, json: string): void {
    if (error) throw answer.error("io", `failed while it answered: ${serverMessage(json)}`);
    const count = (value: unknown, before: number): number => (typeof value === "number" ? value : before);
    tokens.prompt = count(usage?.prompt_tokens, tokens.prompt);
    tokens.answer = count(usage?.completion_tokens, tokens.answer);
    const choice = choices?.[0];
    const piece = choice?.text ?? choice?.message?.content ?? choice?.delta?.content;
    // A stream's last event has the counts and no choice, the first of a chat a role and no content.
    const withoutText = choice?.delta !== undefined || (choice === undefined && Array.isArray(choices) && usage);
    if (typeof piece !== "string" && !(withoutText && piece == null)) {
      throw answer.error("input", `sent an answer without choices[0].text or content: ${json}`);
    }
    if (typeof piece === "string") text.push(piece);
    if (typeof choice?.finish_reason === "string") finish = choice.finish_reason;
    const { token_logprobs, content } = choice?.logprobs ?? {};
    for (const value of token_logprobs ?? content?.map(({ logprob }) => logprob) ?? []) {
      if (typeof value !== "number") continue;
      logSum += value;
      logCount++;
    }
  }
}

/** An answer in one piece is a stream of one chunk that ends as it should. */
async function* whole({ pieces }: Answer): AsyncGenerator<string, void, undefined> {
  yield await text(pieces);
  yield "[DONE]";
}

function parse(json: string, answer: Answer): Chunk {
  try {
    const chunk: unknown = JSON.parse(json);
    if (typeof chunk === "object" && chunk !== null) return chunk;
  } catch {}
  const shown = serverMessage(json) || "(nothing)";
  throw answer.error("input", `sent what is not JSON of OpenAI's protocol (${answer.type || "no type"}): ${shown}`);
}

/** Hands pieces on without the white space before and behind all of them. */
function trimmed(give: (piece: string) => void): { push(piece: string): void; all(): string } {
  let given = "";
  let held = "";
  return {
    all: () => given,
    push(piece) {
      held += piece;
      const ready = given === "" ? held.trim() : held.trimEnd();
      if (ready === "") return;
      held = held.slice(held.trimEnd().length);
      given += ready;
      give(ready);
    },
  };
}
