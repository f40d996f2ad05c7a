import { ClaraError } from "@clara/core";
import { type ClaraPrompt, type ClaraTokenizer, claraPrompt, type RenderChat } from "@clara/model";

export interface PromptIdsOptions {
  readonly tokenizer: ClaraTokenizer;
  /** The decoder's chat template. */
  readonly render: RenderChat;
  /** Documents that the prompt has places for. */
  readonly documents: number;
  /** Tokens of the longest prompt. */
  readonly promptTokens: number;
}

/**
 * A prompt as ids, up to where the answer begins, with a run of memory tokens for each document. A question may hold anything:
 * names of control tokens in it are letters, and marks of turns are not marks.
 *
 * @throws ClaraError "input" when the prompt is too long: cut, it would lose the question; "weights" when the chat template drops
 *   the places of documents.
 */
export function promptIds(
  prompt: ClaraPrompt,
  { tokenizer, render, documents, promptTokens }: PromptIdsOptions,
): number[] {
  const harmless =
    prompt.task === "answer" ? { ...prompt, question: withoutMarks(tokenizer, prompt.question) } : prompt;
  const text = render(claraPrompt(harmless, tokenizer.places(documents)), { answerNext: true });
  const ids = tokenizer.encode(text, { limit: promptTokens + 1 });
  if (ids.length > promptTokens) {
    const room = documents * (tokenizer.memoryTokens + 1);
    throw new ClaraError(
      "input",
      `clara prompt: it is longer than ${promptTokens} tokens, of which the ${documents} documents take ${room}; ` +
        "ask a shorter question, give fewer documents, or raise promptTokens",
    );
  }
  const { firstMemoryId, memoryTokens: M } = tokenizer;
  const places = ids.filter((id) => id >= firstMemoryId && id < firstMemoryId + M);
  if (places.length !== documents * M || places.some((id, i) => id !== firstMemoryId + (i % M))) {
    throw new ClaraError(
      "weights",
      `clara prompt: the chat template must keep the ${documents * M} memory tokens of ${documents} documents in order, ` +
        `got ${places.length}`,
    );
  }
  return ids;
}

/**
 * Mistral's and Llama 2's marks of turns are plain letters to their tokenizers: a question could end its own turn. With a
 * space in them they are other tokens. Other families have special tokens for turns, which `literal` hides.
 */
function withoutMarks({ literal }: ClaraTokenizer, question: string): string {
  return literal(question.replace(/\[(?=\/?INST\])|<<(?=\/?SYS>>)/g, "$& "));
}
