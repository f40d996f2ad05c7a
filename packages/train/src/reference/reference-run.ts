import { ClaraError } from "@clara/core";
import type { Stage } from "../recipe.ts";
import { placedDocuments } from "../records/clara-record.ts";
import { memoryTokensOf } from "./checkpoint-config.ts";
import { referenceStages } from "./stage-names.ts";

export interface ReferenceRunOptions {
  readonly stage: Stage;
  /** Files of the stage's records, as the machine that trains knows them. */
  readonly dataset: readonly string[];
  /** How many records they have together. */
  readonly records: number;
  /** Base model, a folder or a name. */
  readonly base: string;
  /** Folder of the checkpoint of the stage before; only stage `compression` starts without one. */
  readonly checkpoint?: string;
  /** Folder of the new checkpoint. */
  readonly output: string;
  /** Tokens of a document for each memory token; with a checkpoint, the checkpoint's. @default 32 */
  readonly rate?: number;
  /** @default 256 */
  readonly documentTokens?: number;
  /** Documents in a prompt. @default 1 in stage `compression`, else 5 */
  readonly documents?: number;
  /** @default 4 */
  readonly gpus?: number;
  /** @default 1 */
  readonly epochs?: number;
  /** The highest. @default 1e-4, in stage `endToEnd` 5e-6 */
  readonly learningRate?: number;
  /** Records of one step of the optimizer. @default 128, in stage `endToEnd` 32 */
  readonly batch?: number;
  /** Of them, how many a GPU computes at a time. @default 2 */
  readonly microBatch?: number;
  /** @default 42 */
  readonly seed?: number;
}

export interface ReferenceRun {
  /** To be started in the folder of the reference's code. */
  readonly program: "torchrun";
  readonly arguments: readonly string[];
  /** The same as one line of a POSIX shell. */
  readonly command: string;
  /** Of the optimizer. */
  readonly steps: number;
  /** What to know before it is started. */
  readonly notes: readonly string[];
}

/**
 * How to start the reference's trainer on one stage with the settings of its scripts, but for one: ZeRO stage 1, as with stage 2 and
 * the DeepSpeed that the reference pins, all micro-batches of a step but the last are lost.
 *
 * @throws ClaraError "option" for settings with which it would crash or train nothing.
 */
export function referenceRun({
  stage,
  dataset,
  records,
  base,
  checkpoint,
  output,
  rate = 32,
  documentTokens = 256,
  documents = placedDocuments[stage],
  gpus = 4,
  epochs = 1,
  learningRate = stage === "endToEnd" ? 5e-6 : 1e-4,
  batch = stage === "endToEnd" ? 32 : 128,
  microBatch = 2,
  seed = 42,
}: ReferenceRunOptions): ReferenceRun {
  for (const [name, value] of Object.entries({ rate, documentTokens, documents, gpus, epochs, batch, microBatch })) {
    if (!Number.isInteger(value) || value < 1) fail(`${name} must be a whole number above 0, got ${value}`);
  }
  if (memoryTokensOf({ rate, documentTokens }) < 1)
    fail(`rate ${rate} leaves no memory token of ${documentTokens} tokens`);
  if (batch % (microBatch * gpus) !== 0) {
    fail(`batch must be a multiple of microBatch times gpus (${microBatch * gpus}), got ${batch}`);
  }
  const steps = epochs * Math.floor(records / batch);
  if (steps < 1) fail(`a step takes ${batch} records, got ${records}; give more, or a smaller batch`);
  if (stage !== "compression" && checkpoint === undefined)
    fail(`stage ${stage} needs the checkpoint of the stage before`);
  if (dataset.length === 0) fail("dataset must name a file");
  const ambiguous = dataset.find((path) => /[,@]/.test(path));
  if (ambiguous !== undefined) fail(`the reference splits paths at "," and "@"; rename ${JSON.stringify(ambiguous)}`);
  const flags: readonly (readonly [string, string | number | true])[] = [
    ["pretrain", base],
    ...(checkpoint === undefined ? [] : ([["pretrain_checkpoint", checkpoint]] as const)),
    ["dataset", dataset.join(",")],
    ["stage", referenceStages[stage]],
    ["generation_top_k", documents],
    ["doc_max_length", documentTokens],
    ["compress_rate", rate],
    ...(stage === "endToEnd" ? [] : ([["mse_loss", true]] as const)),
    ["max_len", stage === "endToEnd" ? 1024 : 2048],
    ["max_samples", records],
    ["max_epochs", epochs],
    ["train_batch_size", batch],
    ["micro_train_batch_size", microBatch],
    ["learning_rate", learningRate],
    ["lr_scheduler", stage === "endToEnd" ? "constant" : "cosine_with_min_lr"],
    ["zero_stage", 1],
    ["bf16", true],
    ["seed", seed],
    ["save_path", output],
    ["ckpt_path", `${output}/steps`],
    ["save_steps", -2],
    ["logging_steps", 1],
  ];
  const list = [
    "--standalone",
    `--nproc_per_node=${gpus}`,
    "-m",
    "openrlhf.cli.train_sft",
    ...flags.flatMap(([name, value]) => (value === true ? [`--${name}`] : [`--${name}`, String(value)])),
  ];
  return {
    program: "torchrun",
    arguments: list,
    command: ["torchrun", ...list].map(quoted).join(" "),
    steps,
    notes: [...notesOf(stage, steps), ...leftOver(records, batch)],
  };
}

function notesOf(stage: Stage, steps: number): string[] {
  const notes: string[] = [];
  if (stage !== "endToEnd") notes.push("the first step has learning rate 0: it changes nothing");
  if (steps < 20) notes.push(`steps: ${steps}, enough to see that it runs, and to learn next to nothing`);
  if (stage !== "compression") notes.push("the rate is the checkpoint's: --compress_rate is passed over");
  if (stage === "instruction") notes.push("the generator's adapter starts afresh: the checkpoint's is dropped");
  return notes;
}

function leftOver(records: number, batch: number): string[] {
  const rest = records % batch;
  return rest > 0 ? [`${rest} records of each epoch fill no batch and are left out`] : [];
}

function quoted(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}

function fail(problem: string): never {
  throw new ClaraError("option", `referenceRun: ${problem}`);
}
