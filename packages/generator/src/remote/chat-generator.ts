import { ClaraError, type Evidence, type Generated, type Generator, throwIfAborted } from "@clara/core";
import type { Fragment } from "../sequences.ts";
import type { ChooseFragments } from "../window-chooser.ts";
import { type ChatPromptOptions, chatPrompt, type ShownDocument } from "./chat-prompt.ts";
import { quotesOfReply, readReply, type ShownPart } from "./chat-reply.ts";
import { type RemoteModelOptions, remoteModel } from "./completion.ts";

export interface ChatGeneratorOptions extends RemoteModelOptions, ChatPromptOptions {
  /** Chooses what is read for context `mixed`. @default context `text` alone */
  readonly fragments?: ChooseFragments | undefined;
  /** Tokens of a text, for the figures of how much was read: endpoints count instructions and question as well. */
  readonly count: (text: string) => number;
}

/**
 * A generator that asks a language model behind an endpoint to answer from text, with quotes.
 *
 * - `text`: title and text of each evidence are sent.
 * - `mixed`: of the texts only what `fragments` chooses.
 *
 * The answer is in the model's words. Its quotes are what it copied from the text it was shown, found there again: what it
 * invents is in none. An answer that the documents do not have it is `declined`, with confidence 0. Otherwise confidence is the geometric
 * mean of the tokens' probabilities, or the best evidence's score where the endpoint gives none: neither is calibrated.
 *
 * @throws ClaraError "option" for an impossible setting; when called, "unsupported" for context `memory`, and `mixed` without
 *   `fragments`; "io", "input" and "option" when the endpoint fails or refuses; "aborted".
 */
export function chatGenerator(options: ChatGeneratorOptions): Generator {
  const { fragments: choose, count, persona, tone, says = {}, ...rest } = options;
  const { name = "chatGenerator" } = says;
  const model = remoteModel({ ...rest, says: { ...says, name } });
  return {
    name: "chat",
    async generate(query, evidence, { context, overlap = () => 0, signal, onToken }) {
      throwIfAborted(signal, name);
      const fragments = (await chosen()).filter(({ evidence: at, start, end }) => textOf(at, start, end).trim() !== "");
      if (fragments.length === 0) return null;
      const shown = fragments.map(
        ({ evidence: at, start, end }): ShownPart => ({
          evidence: evidence[at]!.id,
          text: textOf(at, start, end),
          start,
        }),
      );
      const messages = chatPrompt(query.text, documentsOf(evidence, fragments), { persona, tone });
      // Streamed, so that a model is given up when it falls silent and not because it writes much.
      const { text, finish, logProbability } = await model.chat(messages, { signal, onToken: () => {} });
      if (/^<think>(?![\s\S]*<\/think>)/.test(text)) {
        const problem = `the model was still thinking when its answer ended (finish_reason ${finish})`;
        throw new ClaraError(
          "input",
          `${name}: ${problem}; allow it more tokens, or turn thinking off at the endpoint`,
        );
      }
      const reply = readReply(text);
      const { answer, declined } = reply;
      for (const piece of answer.match(/\s*\S+\s*$|\s*\S+/gu) ?? []) onToken?.(piece);
      const support = Math.max(...fragments.map(({ evidence: at }) => evidence[at]!.score));
      const sure = logProbability === undefined ? support : Math.exp(logProbability);
      return {
        answer,
        quotes: declined ? [] : quotesOfReply(reply, shown),
        confidence: declined ? 0 : sure,
        margin: logProbability ?? 0,
        tokens: { text: total(evidence.map((each) => each.text)), read: total(shown.map((part) => part.text)) },
        ...(declined && { declined }),
      } satisfies Generated;

      async function chosen(): Promise<Fragment[]> {
        if (context === "text") return evidence.map(({ text }, at) => ({ evidence: at, start: 0, end: text.length }));
        if (context === "mixed" && choose) return choose(query, evidence, { overlap, signal });
        const without = context === "mixed" ? " without fragments: what of the text is to be read" : "";
        throw new ClaraError("unsupported", `${name}: does not do context ${context}${without}`);
      }

      function textOf(at: number, start: number, end: number): string {
        return evidence[at]!.text.slice(start, end);
      }
    },
  };

  function total(texts: readonly string[]): number {
    return texts.reduce((sum, text) => sum + count(text), 0);
  }
}

/** Parts of one evidence stand under one title. */
function documentsOf(evidence: readonly Evidence[], fragments: readonly Fragment[]): ShownDocument[] {
  return evidence.flatMap(({ title, text }, at) => {
    const own = fragments.filter((fragment) => fragment.evidence === at);
    return own.length === 0 ? [] : [{ title, parts: own.map(({ start, end }) => text.slice(start, end)) }];
  });
}
