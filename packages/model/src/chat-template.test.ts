import { ClaraError } from "@clara/core";
import { expect, it } from "vitest";
import { chatTemplate } from "./chat-template.ts";
import { claraPrompt, paraphraseInstructions, questionsAndAnswers } from "./clara-prompts.ts";

const messages = [
  { role: "system", content: "Be brief." },
  { role: "user", content: "Who?" },
] as const;
const each = "{{ bos_token }}{% for m in messages %}[{{ m['role'] }}]{{ m['content'] }}{{ eos_token }}{% endfor %}";

it("renders messages with the model's tokens, and asks for an answer", () => {
  const render = chatTemplate(`${each}{% if add_generation_prompt %}[assistant]{% endif %}`, {
    bos: "<s>",
    eos: "</s>",
  });
  expect(render(messages)).toBe("<s>[system]Be brief.</s>[user]Who?</s>");
  expect(render(messages, { answerNext: true })).toBe("<s>[system]Be brief.</s>[user]Who?</s>[assistant]");
});

it("puts the system's words before the user's where the template knows no system", () => {
  const source = `{% if messages[0]['role'] == 'system' %}{{ raise_exception('System role not supported') }}{% endif %}${each}`;
  expect(chatTemplate(source)(messages)).toBe("[user]Be brief.\nWho?");
  expect(() => chatTemplate(source)([messages[0]])).toThrow("System role not supported");
});

it("takes the template named default from a list", () => {
  expect(
    chatTemplate([
      { name: "rag", template: "no" },
      { name: "default", template: "yes" },
    ])(messages),
  ).toBe("yes");
});

it("says what is wrong with a template, or with messages", () => {
  expect(() => chatTemplate(undefined)).toThrow("the model has no chat template");
  expect(() => chatTemplate("{% if %}")).toThrow(ClaraError);
  expect(() => chatTemplate("{{ raise_exception('roles must alternate') }}")(messages)).toThrow("roles must alternate");
});

it("writes the prompts of the three tasks", () => {
  const text = (prompt: Parameters<typeof claraPrompt>[0]): string => claraPrompt(prompt, "<MEM0><SEP>")[1]!.content;
  expect(text({ task: "questions" })).toBe("Background:\n<MEM0><SEP>");
  expect(text({ task: "answer", question: "Who? $& {docs}" })).toBe(
    "Background:\n<MEM0><SEP>\n\nQuestion:Who? $& {docs}",
  );
  expect(text({ task: "paraphrase", instruction: 0 })).toBe("Background: <MEM0><SEP> means the same as");
  expect(paraphraseInstructions.length).toBe(13);
  expect(
    questionsAndAnswers([
      { question: "a?", answer: "b" },
      { question: "c?", answer: "d" },
    ]),
  ).toBe("Question: a?\nAnswer: b\nQuestion: c?\nAnswer: d");
});
