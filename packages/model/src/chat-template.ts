import { ClaraError } from "@clara/core";
import { Template } from "@huggingface/jinja";

export interface ChatMessage {
  readonly role: "system" | "user" | "assistant";
  readonly content: string;
}

export interface ChatTemplateTokens {
  readonly bos?: string | undefined;
  readonly eos?: string | undefined;
}

/** The text of a chat as the model was taught it. With `answerNext` it ends where the assistant's answer begins. */
export type RenderChat = (messages: readonly ChatMessage[], options?: { readonly answerNext?: boolean }) => string;

/**
 * Renders a model's chat template. Where the template says that it knows no system role, the system's words come before the
 * first message of the user, with a line break.
 *
 * @param source chat_template.jinja, or `chat_template` of tokenizer_config.json: a text, or a list with one named "default"
 * @throws ClaraError "weights" when there is no template or it cannot be parsed; when called, "input" with what the
 * template said against the messages.
 */
export function chatTemplate(source: unknown, { bos = "", eos = "" }: ChatTemplateTokens = {}): RenderChat {
  const text = templateText(source);
  let template: Template;
  try {
    template = new Template(text);
  } catch (cause) {
    throw new ClaraError("weights", `chatTemplate: the chat template cannot be parsed: ${reason(cause)}`, { cause });
  }
  const render = (messages: readonly ChatMessage[], answerNext: boolean): string =>
    template.render({
      messages,
      add_generation_prompt: answerNext,
      bos_token: bos,
      eos_token: eos,
      // Models that can think aloud are asked for the answer alone.
      enable_thinking: false,
    });
  return (messages, { answerNext = false } = {}) => {
    try {
      return render(messages, answerNext);
    } catch (cause) {
      if (/system role not supported/i.test(reason(cause)) && messages[0]?.role === "system") {
        return renderMerged(messages, answerNext, cause);
      }
      throw refused(cause);
    }
  };

  function renderMerged([system, user, ...rest]: readonly ChatMessage[], answerNext: boolean, first: unknown): string {
    if (user?.role !== "user") throw refused(first);
    try {
      return render([{ role: "user", content: `${system!.content}\n${user.content}` }, ...rest], answerNext);
    } catch (cause) {
      throw refused(cause);
    }
  }
}

function templateText(source: unknown): string {
  if (typeof source === "string") return source;
  if (Array.isArray(source)) {
    const named = (source as { name?: unknown; template?: unknown }[]).find((item) => item?.name === "default");
    if (typeof named?.template === "string") return named.template;
  }
  throw new ClaraError("weights", "chatTemplate: the model has no chat template; take one that was tuned on chats");
}

function refused(cause: unknown): ClaraError {
  return new ClaraError("input", `chatTemplate: the model's chat template refused: ${reason(cause)}`, { cause });
}

function reason(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}
