import { ClaraError } from "@clara/core";
import type { HostTensors } from "@clara/engine";
import { labelledRows, noLabel } from "../losses/language-model-loss.ts";
import { permutation, random } from "../random.ts";
import type { Batches, TrainingBatch } from "../train-steps.ts";
import type { ClaraShape } from "./clara-params.ts";

/** A record as ids. Rows of documents and questions are `<ENC><s>text</s>` and the memory tokens, without padding. */
export interface ClaraExample {
  /** For errors. */
  readonly id: string;
  readonly documents: readonly (readonly number[])[];
  /** Stage `endToEnd` only. */
  readonly question?: readonly number[];
  /** The prompt with a run of memory tokens for each document that it is given, and the answer after it. */
  readonly prompt: readonly number[];
  /** Place of the answer's first token in `prompt`. */
  readonly answerStart: number;
}

export interface ClaraBatchesOptions {
  readonly examples: readonly ClaraExample[];
  readonly shape: Pick<ClaraShape, "memoryTokens" | "firstMemoryId">;
  /** Documents whose memories are in a prompt: all of them, or as many as are selected. */
  readonly placed: number;
  readonly seed: number;
  /** Examples of one step. */
  readonly batchSize: number;
  /** Examples of one part of a step; divides `batchSize`. */
  readonly partSize: number;
  /** Fills rows up, masked: any id of the vocabulary. @default 1 */
  readonly padId?: number;
}

/**
 * Batches for the three stages, in another order each epoch; what does not fill a batch at an epoch's end is left out. A
 * step's loss is the mean of its parts' losses, as in the reference.
 *
 * @throws ClaraError "input" that names an example that cannot be used (see `claraPart`), "option" for impossible sizes.
 */
export function claraBatches({
  examples,
  shape,
  placed,
  seed,
  batchSize,
  partSize,
  padId = 1,
}: ClaraBatchesOptions): Batches {
  const whole = (value: number): boolean => Number.isInteger(value) && value >= 1;
  if (!whole(partSize) || !whole(batchSize) || batchSize % partSize !== 0 || examples.length < batchSize) {
    throw new ClaraError(
      "option",
      `claraBatches: partSize must divide batchSize, and batchSize be at most the ${examples.length} examples; ` +
        `got ${partSize} and ${batchSize}`,
    );
  }
  for (const example of examples) check(example, shape, placed);
  return function* (from) {
    for (let { epoch, cursor } = from; ; epoch++, cursor = 0) {
      const order = permutation(examples.length, random(seed, epoch));
      for (; cursor + batchSize <= examples.length; cursor += batchSize) {
        const taken = Array.from(order.subarray(cursor, cursor + batchSize), (index) => examples[index]!);
        // Epochs leave out less than a batch: no two parts have one number.
        const first = epoch * Math.ceil(examples.length / partSize) + cursor / partSize;
        yield batchOf(taken, { partSize, padId, first }, { epoch, cursor: cursor + batchSize });
      }
    }
  };
}

function batchOf(
  examples: readonly ClaraExample[],
  { partSize, padId, first }: { partSize: number; padId: number; first: number },
  next: TrainingBatch["next"],
): TrainingBatch {
  const parts = Array.from({ length: examples.length / partSize }, (_, i) =>
    claraPart(examples.slice(i * partSize, (i + 1) * partSize), { padId, step: first + i }),
  );
  const lengths = examples.flatMap(({ documents, question = [], prompt }) => [...documents, question, prompt]);
  return {
    parts,
    divisor: parts.length,
    tokens: lengths.reduce((sum, row) => sum + row.length, 0),
    examples: examples.length,
    ids: examples.map(({ id }) => id),
    next,
  };
}

export interface ClaraPartOptions {
  /** Fills rows up, masked: any id of the vocabulary. @default 1 */
  readonly padId?: number;
  /** Number of the part in the run: another one draws another dropout. @default 0 */
  readonly step?: number;
}

/**
 * Inputs of a stage's loss for examples that are computed together: rows padded on the left to the longest. With questions,
 * those with fewer documents are filled up with masked ones; without, all must have equally many.
 *
 * @throws ClaraError "input" when some have a question and some not, or the numbers of documents differ where they may not.
 */
export function claraPart(
  examples: readonly ClaraExample[],
  { padId = 1, step = 0 }: ClaraPartOptions = {},
): HostTensors {
  const B = examples.length;
  const N = Math.max(...examples.map(({ documents }) => documents.length));
  const asked = examples.filter(({ question }) => question).length;
  const short = examples.find(({ documents }) => documents.length < N);
  if (asked > 0 && asked < B)
    throw unusable(examples.find(({ question }) => !question)!, "it has no question, and others have");
  if (asked === 0 && short)
    throw unusable(short, `it has ${short.documents.length} documents, another of its batch ${N}`);
  const documents = padded(
    examples.flatMap(({ documents }) => Array.from({ length: N }, (_, i) => documents[i] ?? [])),
    padId,
  );
  const prompts = padded(
    examples.map(({ prompt }) => prompt),
    padId,
  );
  const T = prompts.columns;
  const labels = new Int32Array(B * T).fill(noLabel);
  examples.forEach(({ prompt, answerStart }, b) => {
    labels.set(prompt.slice(answerStart), (b + 1) * T - (prompt.length - answerStart));
  });
  const { rows, targets } = labelledRows(labels, T);
  const cube = [B, N, documents.columns];
  const inputs: HostTensors = {
    documents: { data: documents.ids, shape: cube },
    documentMask: { data: documents.mask, shape: cube },
    prompt: { data: prompts.ids, shape: [B, T] },
    promptMask: { data: prompts.mask, shape: [B, T] },
    rows: { data: rows, shape: [rows.length] },
    targets: { data: targets, shape: [targets.length] },
    step: { data: Int32Array.of(step), shape: [] },
  };
  if (asked === 0) return inputs;
  const questions = padded(
    examples.map(({ question }) => question!),
    padId,
  );
  const present = examples.flatMap(({ documents }) =>
    Array.from({ length: N }, (_, i) => Number(i < documents.length)),
  );
  return {
    ...inputs,
    question: { data: questions.ids, shape: [B, questions.columns] },
    questionMask: { data: questions.mask, shape: [B, questions.columns] },
    candidates: { data: Int32Array.from(present), shape: [B, N] },
  };
}

/** Rows padded on the left to the longest, so that all end in the same column. */
function padded(
  rows: readonly (readonly number[])[],
  padId: number,
): { ids: Int32Array; mask: Int32Array; columns: number } {
  const columns = Math.max(...rows.map((row) => row.length));
  const ids = new Int32Array(rows.length * columns).fill(padId);
  const mask = new Int32Array(rows.length * columns);
  rows.forEach((row, i) => {
    ids.set(row, (i + 1) * columns - row.length);
    mask.fill(1, (i + 1) * columns - row.length, (i + 1) * columns);
  });
  return { ids, mask, columns };
}

/** A prompt that was cut, or a text with a memory token in it, would train on the wrong vectors without a word. */
function check(
  example: ClaraExample,
  { memoryTokens: M, firstMemoryId }: Pick<ClaraShape, "memoryTokens" | "firstMemoryId">,
  placed: number,
): void {
  const { documents, question, prompt, answerStart } = example;
  if (question ? documents.length < placed : documents.length !== placed) {
    const needed = `${placed}${question ? " or more" : ""}`;
    throw unusable(example, `it has ${documents.length} documents, and its prompt needs ${needed}`);
  }
  if (!(answerStart >= 1 && answerStart < prompt.length)) {
    throw unusable(example, `its answer starts at ${answerStart} of ${prompt.length} tokens; was the prompt cut?`);
  }
  const places = (row: readonly number[]): string =>
    row.flatMap((id) => (id >= firstMemoryId && id < firstMemoryId + M ? [id - firstMemoryId] : [])).join(" ");
  const run = Array.from({ length: M }, (_, i) => i);
  const wanted = (runs: number): string =>
    Array.from({ length: runs }, () => run)
      .flat()
      .join(" ");
  const runsOf = (what: string, row: readonly number[], runs: number): void => {
    if (places(row) === wanted(runs)) return;
    const many = runs === 1 ? `one run of ${M} memory tokens` : `${runs} runs of ${M} memory tokens`;
    throw unusable(example, `${what} must have ${many}; was it cut, or does its text name one?`);
  };
  runsOf("its prompt", prompt, placed);
  for (const row of [...documents, ...(question ? [question] : [])]) {
    runsOf("each document and question", row, 1);
    if (row.at(-1) !== firstMemoryId + M - 1)
      throw unusable(example, "documents and questions must end in the memory tokens");
  }
}

function unusable({ id }: ClaraExample, why: string): ClaraError {
  return new ClaraError("input", `claraBatches: example ${id}: ${why}`);
}
