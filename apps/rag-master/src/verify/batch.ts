import type { HostTensors } from "@clara/engine";
import {
  type ClaraExample,
  type ClaraRecord,
  claraPart,
  encodeRecord,
  noLabel,
  referenceStages,
  type Stage,
} from "@clara/train";
import type { Checks } from "./check.ts";
import type { Session } from "./session.ts";

/** Rows of ids, padded on the left, as they are recorded. */
export interface Rows {
  readonly shape: readonly [number, number];
  readonly input_ids: readonly (readonly number[])[];
  readonly attention_mask: readonly (readonly number[])[];
  readonly memory_mask: readonly (readonly number[])[];
}

/** A micro-batch of the reference: in forward/*.json and in reader.json. */
export interface Batch {
  readonly stage: string;
  readonly generation_top_k: number;
  readonly memory_tokens: number;
  readonly memory_token_ids: readonly number[];
  readonly docs: readonly (readonly string[])[];
  readonly questions: readonly (string | readonly string[])[];
  readonly answers: readonly (string | readonly string[])[];
  readonly paraphrase_instruction_index?: readonly number[];
  readonly pos_index?: readonly (readonly number[])[];
  readonly enc: Rows;
  readonly query?: Rows;
  readonly dec: Rows;
  readonly labels: readonly (readonly number[])[];
  readonly dec_text?: readonly string[];
}

/** Our name of a stage of the reference. */
export function stageNamed(name: string): Stage {
  const found = (Object.keys(referenceStages) as Stage[]).find((stage) => referenceStages[stage] === name);
  if (!found) throw new Error(`stage ${JSON.stringify(name)} is none of ${Object.values(referenceStages).join(", ")}`);
  return found;
}

/** The reference pads all documents to the longest there may be: `doc_max_length` + 3, and the memory tokens. */
export function documentTokensOf({ enc, memory_tokens }: Batch): number {
  return enc.shape[1] - 3 - memory_tokens;
}

/** Rows without their padding. */
export function unpadded({ input_ids, attention_mask }: Rows): number[][] {
  return input_ids.map((row, i) => row.filter((_, j) => attention_mask[i]![j] === 1));
}

/** What rows are filled up with; undefined where none is. */
export function padIdOf({ input_ids, attention_mask }: Rows): number | undefined {
  return input_ids.flatMap((row, i) => row.filter((_, j) => attention_mask[i]![j] === 0))[0];
}

/** A recorded micro-batch as inputs of a stage's loss, by what the trainer itself makes batches with. */
export function inputsOf(batch: Batch, padId: number): HostTensors {
  const [documents, prompts] = [unpadded(batch.enc), unpadded(batch.dec)];
  const questions = batch.query && unpadded(batch.query);
  const each = documents.length / prompts.length;
  const examples = prompts.map((prompt, i): ClaraExample => {
    const labels = batch.labels[i]!.filter((label) => label !== noLabel).length;
    return {
      id: `row ${i}`,
      documents: documents.slice(i * each, (i + 1) * each),
      ...(questions && { question: questions[i]! }),
      prompt,
      answerStart: prompt.length - labels,
    };
  });
  return claraPart(examples, { padId });
}

/** The records that a micro-batch was made of. */
export function recordsOf(batch: Batch): ClaraRecord[] {
  return batch.docs.map((documents, i): ClaraRecord => {
    const [question, answer] = [batch.questions[i]!, batch.answers[i]!];
    const [first = ""] = [answer].flat();
    const common = { line: i + 1, documents };
    if (batch.stage !== referenceStages.compression) {
      const positives = batch.pos_index?.[i] ?? [];
      return { kind: "answer", ...common, question: [question].flat()[0]!, answer: first, aliases: [], positives };
    }
    if (!Array.isArray(question)) return { kind: "paraphrase", ...common, paraphrase: first };
    return { kind: "questions", ...common, pairs: question.map((text, j) => ({ question: text, answer: answer[j]! })) };
  });
}

/**
 * Whether records, encoded here, give the recorded rows, masks and labels. Where a prompt was cut before its answer, so that
 * the reference trains with a loss of NaN, ours must refuse the record.
 */
export async function compareRows(
  checks: Checks,
  name: string,
  { batch, records }: { readonly batch: Batch; readonly records: readonly ClaraRecord[] },
  session: Session,
): Promise<void> {
  const stage = stageNamed(batch.stage);
  const [tokenizer, render] = [session.tokenizer(batch.memory_tokens), session.render()];
  const documentTokens = documentTokensOf(batch);
  const [documents, prompts] = [unpadded(batch.enc), unpadded(batch.dec)];
  const questions = batch.query && unpadded(batch.query);
  const T = batch.dec.shape[1];
  const encode = (record: ClaraRecord, i: number, promptTokens: number): ClaraExample => {
    const instruction = batch.paraphrase_instruction_index?.[i] ?? 0;
    const options = { tokenizer, render, stage, documentTokens, documents: batch.generation_top_k, instruction };
    return encodeRecord(record, { ...options, promptTokens }).example;
  };
  // As wide as the widest row: a limit that cuts what the reference's limit cut, and nothing else.
  const usable = records.map((_, i) => batch.labels[i]!.some((label) => label !== noLabel));
  const examples = records.map((record, i) => encode(record, i, usable[i] ? T : Number.MAX_SAFE_INTEGER));
  checks.same(
    `${name}/documents`,
    examples.flatMap((example) => example.documents),
    documents,
  );
  if (questions) {
    // In training the reference cuts questions later than documents; ours, like its inference, at the same place.
    const cut = (row: readonly number[]): number[] => [
      ...row.slice(0, -batch.memory_tokens).slice(0, documentTokens + 3),
      ...row.slice(-batch.memory_tokens),
    ];
    const ours = examples.map(({ question }) => question);
    checks.same(`${name}/questions`, ours, questions.map(cut));
  }
  const cutPrompts = examples.map(({ prompt }) => prompt.slice(0, T));
  checks.same(`${name}/prompts`, cutPrompts, prompts);
  const kept = examples.flatMap((example, i) => (usable[i] ? [{ ...example, i }] : []));
  const left = (length: number): number[] => Array<number>(T - length).fill(0);
  if (kept.length > 0) {
    const labels = kept.map(({ prompt, answerStart }) => [
      ...Array<number>(T - prompt.length + answerStart).fill(noLabel),
      ...prompt.slice(answerStart),
    ]);
    checks.same(
      `${name}/labels`,
      labels,
      kept.map(({ i }) => batch.labels[i]),
    );
  }
  const isMemory = (id: number): number => Number(batch.memory_token_ids.includes(id));
  checks.same(
    `${name}/memory_mask`,
    cutPrompts.map((row) => [...left(row.length), ...row.map(isMemory)]),
    batch.dec.memory_mask,
  );
  const first = tokenizer.firstMemoryId;
  const ids = Array.from({ length: tokenizer.memoryTokens }, (_, i) => first + i);
  checks.same(`${name}/memory_token_ids`, ids, batch.memory_token_ids);
  if (batch.dec_text) {
    const texts = cutPrompts.map((row) => tokenizer.decode(row, { special: true }));
    checks.same(`${name}/dec_text`, texts, batch.dec_text);
  }
  for (const [i, record] of records.entries()) {
    if (!usable[i]) await checks.refuses(`${name}/row ${i} without an answer`, () => encode(record, i, T));
  }
}
