import type { ChatMessage } from "@clara/model";
import type { Group } from "../group.ts";

interface Encoded {
  readonly ids: readonly number[];
  readonly decoded: string;
  readonly decoded_with_special: string;
}

interface Tokenization {
  /** By folder of the tokenizer's files. */
  readonly added_tokens: Readonly<Record<string, Readonly<Record<string, number>>>>;
  readonly texts: readonly ({ readonly text: string } & Readonly<Record<string, Encoded>>)[];
  readonly chats: readonly ({
    readonly messages: readonly ChatMessage[];
    readonly rendered: string;
  } & Readonly<Record<string, readonly number[]>>)[];
}

/** Texts and chats to ids and back, in every form of the tokenizer. */
export const tokenization: Group = {
  name: "tokenization",
  async run(session, checks) {
    const { added_tokens, texts, chats } = session.folder.json<Tokenization>("tokenization.json");
    for (const [form, added] of Object.entries(added_tokens)) {
      const name = `tokenization/${form}`;
      await checks.attempt(name, () => {
        const memoryTokens = Object.keys(added).filter((token) => /^<MEM\d+>$/.test(token)).length;
        const tokenizer = session.tokenizer(memoryTokens, form);
        const ids = Object.keys(added).map((token) => [token, tokenizer.tokenId(token)]);
        checks.same(`${name}/added_tokens`, Object.fromEntries(ids), added);
        const of = texts.map((entry) => entry[form] as Encoded);
        checks.same(
          `${name}/ids`,
          texts.map(({ text }) => tokenizer.encode(text)),
          of.map(({ ids }) => ids),
        );
        checks.same(
          `${name}/decoded`,
          of.map(({ ids }) => tokenizer.decode(ids)),
          of.map(({ decoded }) => decoded),
        );
        checks.same(
          `${name}/decoded_with_special`,
          of.map(({ ids }) => tokenizer.decode(ids, { special: true })),
          of.map(({ decoded_with_special }) => decoded_with_special),
        );
        const render = session.render(form);
        checks.same(
          `${name}/chats`,
          chats.map(({ messages }) => render(messages, { answerNext: true })),
          chats.map(({ rendered }) => rendered),
        );
        checks.same(
          `${name}/chat_ids`,
          chats.map(({ rendered }) => tokenizer.encode(rendered)),
          chats.map((chat) => chat[form]),
        );
      });
    }
  },
};
