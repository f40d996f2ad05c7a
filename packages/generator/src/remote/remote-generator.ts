import { ClaraError, type Evidence, type Generator, throwIfAborted } from "@clara/core";
import { type ChatMessage, type ClaraTokenizer, claraPrompt, type RenderChat } from "@clara/model";
import { promptIds } from "../clara/prompt-ids.ts";
import { type ConfidenceFit, confidenceOf } from "../confidence.ts";
import { quotesOf } from "../quotes.ts";
import { type Completion, type RemoteModelOptions, remoteModel } from "./completion.ts";
import { type EmbeddingRow, promptEmbeddings } from "./prompt-embeddings.ts";

/** How a question and documents become a prompt with places for memories. */
export interface MemoryPrompt {
  /** Ids of the whole prompt, up to where the answer begins, with the places of so many documents. */
  ids(question: string, documents: number): readonly number[];
  /** Tokens of a text: what a memory of it saves. */
  count(text: string): number;
  readonly row: EmbeddingRow;
  /** `D` */
  readonly width: number;
  /** Memory tokens of one document. */
  readonly memoryTokens: number;
  readonly firstMemoryId: number;
}

export interface ClaraMemoryPromptOptions {
  readonly tokenizer: ClaraTokenizer;
  /** The decoder's chat template. */
  readonly render: RenderChat;
  /** Embeddings of the decoder's tokens, those of `<SEP>` included. */
  readonly row: EmbeddingRow;
  /** `D` */
  readonly width: number;
  /** Longest prompt. @default 1024 */
  readonly promptTokens?: number;
}

/**
 * The prompt that CLaRa's decoders were taught to answer from memories.
 *
 * @throws ClaraError as `promptIds` does, when it is asked.
 */
export function claraMemoryPrompt(options: ClaraMemoryPromptOptions): MemoryPrompt {
  const { tokenizer, render, row, width, promptTokens = 1024 } = options;
  const { memoryTokens, firstMemoryId } = tokenizer;
  const ids = (question: string, documents: number): number[] =>
    promptIds({ task: "answer", question }, { tokenizer, render, documents, promptTokens });
  const count = (text: string): number => tokenizer.encode(tokenizer.literal(text)).length;
  return { ids, count, row, width, memoryTokens, firstMemoryId };
}

export interface RemoteGeneratorOptions extends RemoteModelOptions {
  /** For context `memory`. The endpoint must serve the decoder that the memories are for. @default text alone */
  readonly prompt?: MemoryPrompt | undefined;
  /** Chat messages for context `text`. @default CLaRa's own, each text headed by its title */
  readonly messages?: (question: string, evidence: readonly Evidence[]) => readonly ChatMessage[];
  /** From `margin` and the evidence's score. @default the geometric mean of the tokens' probabilities, not calibrated */
  readonly confidence?: ConfidenceFit | undefined;
}

/**
 * A generator whose answers a language model behind an endpoint writes.
 *
 * - `memory`: the prompt goes as embeddings, each evidence's memory in its place; evidence without one is left out, and
 *   no text of the evidence leaves this machine as text. Needs `prompt`, and vLLM with --enable-prompt-embeds.
 * - `text`: title and text of each evidence go as a chat, to any endpoint that speaks OpenAI's protocol.
 *
 * The answer is in the model's words: `quotes` has at most one, where these words stand in an evidence. `margin` is the mean
 * log-probability of the answer's tokens, at most 0, and 0 where the endpoint does not say. With `onToken` it streams.
 *
 * @throws ClaraError "option" for an impossible setting; when called, "unsupported" for context `mixed`, or `memory` without
 *   `prompt`, and where the endpoint takes no embeddings; "shape" for memories of another model; "io", "input" and "option" when
 *   the endpoint fails or refuses; "aborted".
 */
export function remoteGenerator(options: RemoteGeneratorOptions): Generator {
  const { prompt, messages = claraMessages, confidence, ...rest } = options;
  const model = remoteModel(rest);
  return {
    name: "remote",
    async generate({ text: question }, evidence, { context, signal, onToken }) {
      throwIfAborted(signal, "remoteGenerator");
      const used = evidence.filter(({ memory, text }) => (context === "memory" ? memory : text.trim() !== ""));
      if (used.length === 0) return null;
      const { text, logProbability, tokens } = await complete();
      if (text === "") return null;
      const support = Math.max(...used.map(({ score }) => score));
      const margin = logProbability ?? 0;
      const uncalibrated = logProbability === undefined ? support : Math.exp(logProbability);
      return {
        answer: text,
        quotes: quotesOf(text, used),
        confidence: confidence ? confidenceOf({ margin, support }, confidence) : uncalibrated,
        margin,
        tokens:
          context === "memory"
            ? { text: used.reduce((sum, { text }) => sum + prompt!.count(text), 0), read: 0 }
            : { text: tokens.prompt, read: tokens.prompt },
      };

      async function complete(): Promise<Completion> {
        if (context === "text") return model.chat(messages(question, used), { signal, onToken });
        if (context === "mixed") unsupported("context mixed; give it context memory or text");
        if (prompt === undefined)
          unsupported("context memory without prompt: how the decoder is asked, and its embeddings");
        const { width, memoryTokens, firstMemoryId, row } = prompt;
        const wrong = used.find(({ memory }) => memory!.count !== memoryTokens || memory!.width !== width);
        if (wrong) {
          const got = `[${wrong.memory!.count}, ${wrong.memory!.width}] of ${JSON.stringify(wrong.id)}`;
          throw new ClaraError("shape", `remoteGenerator: memories must be [${memoryTokens}, ${width}], got ${got}`);
        }
        const ids = prompt.ids(question, used.length);
        const memories = used.map(({ memory }) => memory!.vectors);
        const embeds = promptEmbeddings({ ids, row, memories, memoryTokens, firstMemoryId, width });
        return model.embedded(embeds, width, { signal, onToken });
      }
    },
  };
}

function claraMessages(question: string, evidence: readonly Evidence[]): ChatMessage[] {
  const texts = evidence.map(({ title, text }) => (title === "" ? text : `${title}\n${text}`));
  return claraPrompt({ task: "answer", question }, texts.join("\n\n"));
}

function unsupported(what: string): never {
  throw new ClaraError("unsupported", `remoteGenerator: does not do ${what}`);
}
