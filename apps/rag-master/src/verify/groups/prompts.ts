import { type ClaraPrompt, claraPrompt, questionsAndAnswers } from "@clara/model";
import type { Group } from "../group.ts";

interface Recorded {
  readonly kind: "qa" | "standard" | "selected" | "paraphrase";
  readonly k: number;
  readonly question?: string | readonly string[];
  readonly answer: string | readonly string[] | null;
  readonly instruction?: number;
  readonly text: string;
  readonly prompt_tokens: number | null;
  readonly input_ids: readonly number[];
}

/** Every prompt, letter for letter. */
export const prompts: Group = {
  name: "prompts",
  async run(session, checks) {
    const file = session.folder.json<{ memory_tokens: number; prompts: readonly Recorded[] }>("prompts.json");
    const tokenizer = session.tokenizer(file.memory_tokens);
    const render = session.render();
    for (const [kind, recorded] of Map.groupBy(file.prompts, ({ kind }) => kind)) {
      await checks.attempt(`prompts/${kind}`, () => {
        const ours = recorded.map((entry) => {
          const messages = claraPrompt(promptOf(entry), tokenizer.places(entry.k));
          const prompt = render(messages, { answerNext: true });
          const content = targetOf(entry);
          return {
            text: content === null ? prompt : render([...messages, { role: "assistant", content }]),
            prompt_tokens: tokenizer.encode(prompt).length,
          };
        });
        checks.same(
          `prompts/${kind}/text`,
          ours.map(({ text }) => text),
          recorded.map(({ text }) => text),
        );
        checks.same(
          `prompts/${kind}/input_ids`,
          ours.map(({ text }) => tokenizer.encode(text)),
          recorded.map(({ input_ids }) => input_ids),
        );
        checks.same(
          `prompts/${kind}/prompt_tokens`,
          ours.map(({ prompt_tokens }, i) => recorded[i]!.prompt_tokens && prompt_tokens),
          recorded.map(({ prompt_tokens }) => prompt_tokens),
        );
      });
    }
  },
};

/** Not `literal`: what the reference reads as tokens is to be the same tokens here. */
function promptOf({ kind, question, instruction = 0 }: Recorded): ClaraPrompt {
  if (kind === "qa") return { task: "questions" };
  if (kind === "paraphrase") return { task: "paraphrase", instruction };
  return { task: "answer", question: question as string };
}

function targetOf({ kind, question, answer }: Recorded): string | null {
  if (kind !== "qa" || answer === null) return answer as string | null;
  const answers = answer as readonly string[];
  return questionsAndAnswers(
    (question as readonly string[]).map((text, i) => ({ question: text, answer: answers[i]! })),
  );
}
