import type { ChatMessage } from "./chat-template.ts";

/**
 * Instructions of paraphrase prompts; `{docs}` is the documents' place. These texts, and those below, are what the
 * published weights were trained on, letter for letter.
 */
export const paraphraseInstructions: readonly string[] = [
  "Background: {docs} means the same as",
  "Background: {docs} Can you put the above sentences in your own terms?",
  "Background: {docs} Please provide a reinterpretation of the preceding background text.",
  "These two expressions are equivalent in essence:\n(1) {docs}\n(2)",
  "Background: {docs} is a paraphrase of what?",
  "Background: {docs} Could you give me a different version of the background sentences above?",
  "In other words, background: {docs} is just another way of saying:",
  "You're getting across the same point whether you say background: {docs} or",
  "Background: {docs} After unpacking the ideas in the background information above, we got:",
  "Background: {docs} Please offer a restatement of the background sentences I've just read.",
  "Background: {docs}, which also means:",
  "Strip away the mystery, and you'll find background: {docs} is simply another rendition of:",
  "The essence of background: {docs} is captured again in the following statement:",
];

/**
 * What a decoder is asked. `places` are the documents' places in the prompt; a question must be `literal` already.
 *
 * - `questions`: write questions about the document, and answer them
 * - `paraphrase`: say it in other words, asked for by one of the 13 instructions
 * - `answer`: answer the question from the documents
 */
export type ClaraPrompt =
  | { readonly task: "questions" }
  | { readonly task: "paraphrase"; readonly instruction: number }
  | { readonly task: "answer"; readonly question: string };

const system = {
  questions:
    "You are a helpful assistant. Given a document, your task is to generate some single questions to cover all key information of the document and answer them sequentially.",
  paraphrase:
    "You are a helpful assistant. Your task is follow the instructions to paraphrase the background information.",
  answer:
    "You are a helpful assistant. Your task is to extract relevant information from provided documents and to answer to questions as briefly as possible.",
} as const;

/** A prompt as chat messages, the system's and the user's. */
export function claraPrompt(prompt: ClaraPrompt, places: string): ChatMessage[] {
  return [
    { role: "system", content: system[prompt.task] },
    // The reference replaces this pair of characters, so the weights have never seen it.
    { role: "user", content: userText(prompt, places).replaceAll(":\\ ", ": ") },
  ];
}

function userText(prompt: ClaraPrompt, places: string): string {
  if (prompt.task === "questions") return `Background:\n${places}`;
  if (prompt.task === "answer") return `Background:\n${places}\n\nQuestion:${prompt.question}`;
  const instruction = paraphraseInstructions[prompt.instruction % paraphraseInstructions.length]!;
  return instruction.replace("{docs}", () => places);
}

/** The answer to a `questions` prompt. */
export function questionsAndAnswers(pairs: readonly { readonly question: string; readonly answer: string }[]): string {
  return pairs.map(({ question, answer }) => `Question: ${question}\nAnswer: ${answer}`).join("\n");
}
