import { ClaraError } from "@clara/core";
import {
  type ClaraPrompt,
  type ClaraTokenizer,
  claraPrompt,
  paraphraseInstructions,
  questionsAndAnswers,
  type RenderChat,
} from "@clara/model";
import type { ClaraExample } from "../clara/clara-batches.ts";
import { random } from "../random.ts";
import type { Stage } from "../recipe.ts";
import { type ClaraRecord, placedDocuments, recordName } from "./clara-record.ts";

export interface EncodeRecordOptions {
  readonly tokenizer: ClaraTokenizer;
  /** The decoder's chat template. */
  readonly render: RenderChat;
  readonly stage: Stage;
  /** Tokens of the longest document or question; the end of longer ones is lost. */
  readonly documentTokens: number;
  /** Tokens of the longest prompt with its answer. */
  readonly promptTokens: number;
  /** Documents that a prompt has places for. @default 1 in stage `compression`, else 5 */
  readonly documents?: number;
  /** Which of the 13 instructions a paraphrase gets. @default drawn for each record with seed 0 */
  readonly instruction?: number;
  /** Of the drawn instruction. @default 0 */
  readonly seed?: number;
}

export interface EncodedRecord {
  readonly example: ClaraExample;
  /** Texts that were cut. */
  readonly warnings: readonly string[];
}

/**
 * A record as ids: what the reference makes of it, without padding. Names of special tokens in its texts are letters, a
 * question is cut like a document, in training as in use. Where the prompt and its answer are too long the answer loses its
 * end.
 *
 * @throws ClaraError "input" when a prompt leaves no room for its answer, or the stage wants another kind of record.
 */
export function encodeRecord(
  record: ClaraRecord,
  {
    tokenizer,
    render,
    stage,
    documentTokens,
    promptTokens,
    documents = placedDocuments[stage],
    seed = 0,
    instruction = random(seed, record.line).below(paraphraseInstructions.length),
  }: EncodeRecordOptions,
): EncodedRecord {
  const name = recordName(record);
  if ((record.kind === "answer") === (stage === "compression")) {
    throw new ClaraError("input", `encodeRecord: ${name} is of kind "${record.kind}", which stage ${stage} cannot use`);
  }
  const { encode, literal } = tokenizer;
  const messages = claraPrompt(promptOf(record, instruction, literal), tokenizer.places(documents));
  const content = literal(targetOf(record));
  const prompt = render(messages, { answerNext: true });
  const chat = render([...messages, { role: "assistant", content }]);
  const start = encode(prompt).length;
  // Some templates write past answers otherwise than the one that comes next: then it is written as it will be generated.
  const text = chat.startsWith(prompt) ? chat : `${prompt}${content}${tokenizer.eos}`;
  const whole = encode(text, { limit: promptTokens + 1 });
  if (start >= promptTokens || start >= whole.length) {
    const what = `its prompt has ${start} tokens, which leaves no room for an answer in ${promptTokens}`;
    throw new ClaraError("input", `encodeRecord: ${name}: ${what}; use longer prompts or leave the record out`);
  }
  const warnings: string[] = [];
  if (whole.length > promptTokens) warnings.push(`the answer of ${name} was cut: it ends after ${promptTokens} tokens`);
  const row = (text: string, what: string): number[] => {
    const ids = tokenizer.row(text, documentTokens);
    if (ids.at(-tokenizer.memoryTokens - 1) !== tokenizer.eosId) {
      warnings.push(`${what} of ${name} was cut: it is longer than ${documentTokens} tokens`);
    }
    return ids;
  };
  const example: ClaraExample = {
    id: name,
    documents: record.documents.map((text, i) => row(text, `document ${i}`)),
    ...(stage === "endToEnd" && record.kind === "answer" && { question: row(record.question, "the question") }),
    prompt: whole.slice(0, promptTokens),
    answerStart: start,
  };
  return { example, warnings };
}

function promptOf(record: ClaraRecord, instruction: number, literal: (text: string) => string): ClaraPrompt {
  if (record.kind === "paraphrase") return { task: "paraphrase", instruction };
  if (record.kind === "questions") return { task: "questions" };
  return { task: "answer", question: literal(record.question) };
}

function targetOf(record: ClaraRecord): string {
  if (record.kind === "paraphrase") return record.paraphrase;
  return record.kind === "questions" ? questionsAndAnswers(record.pairs) : record.answer;
}
