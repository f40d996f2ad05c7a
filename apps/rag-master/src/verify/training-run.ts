import type { Weights } from "@clara/core";
import type { HostTensors } from "@clara/engine";
import {
  type Batches,
  type ClaraExample,
  type ClaraRecord,
  claraPart,
  compressionTask,
  encodeRecord,
  endToEndTask,
  instructionTask,
  type Stage,
  scheduleOf,
  type Task,
  trainSteps,
} from "@clara/train";
import { stageNamed } from "./batch.ts";
import { scheduleNamed } from "./groups/schedule.ts";
import { referenceNames } from "./model.ts";
import type { LoadedCheckpoint, Session } from "./session.ts";

/** One forward and backward pass of the reference; several are one step. */
export interface MicroBatch {
  readonly ce: number;
  readonly mse: number;
  /** Lines of the stage's data file. */
  readonly records: readonly number[];
  readonly topk_indices?: readonly (readonly number[])[];
  readonly retrieval_metrics?: Readonly<Record<string, number>>;
}

/** training/<name>.json */
export interface TrainingFile {
  readonly args: {
    readonly stage: string;
    readonly generation_top_k: number;
    readonly learning_rate: number;
    readonly lr_scheduler: string;
    readonly lr_warmup_ratio: number;
    readonly l2: number;
    readonly adam_betas: readonly [number, number];
    readonly max_norm: number;
    readonly micro_train_batch_size: number;
    readonly train_batch_size: number;
    readonly max_len: number;
    readonly mse_loss: boolean;
  };
  readonly micro_batches: readonly MicroBatch[];
  readonly steps: readonly { readonly lr_used: number; readonly grad_norm_before_clip: number }[];
  readonly changed_parameters?: readonly string[];
  readonly changed_embedding_rows?: readonly number[];
}

/** What one run of ours gave. */
export interface TrainingRun {
  readonly rates: readonly number[];
  readonly norms: readonly number[];
  /** Of each micro-batch. */
  readonly outputs: readonly { readonly loss: number; readonly outputs: HostTensors }[];
  /** Trained tensors by the reference's names, after the steps that are recorded. */
  readonly after: ReadonlyMap<number, Readonly<Record<string, Weights[string]>>>;
  readonly trained: readonly string[];
}

/** As the reference trains: a question is cut at the longest prompt, not at the longest document. */
export function exampleOf(
  record: ClaraRecord,
  { args }: TrainingFile,
  { shape, documentTokens }: LoadedCheckpoint,
  session: Session,
): ClaraExample {
  const tokenizer = session.tokenizer(shape.memoryTokens);
  const { example } = encodeRecord(record, {
    tokenizer,
    render: session.render(),
    stage: stageNamed(args.stage),
    documents: args.generation_top_k,
    documentTokens,
    promptTokens: args.max_len,
  });
  if (!example.question || record.kind !== "answer") return example;
  return { ...example, question: tokenizer.row(record.question, args.max_len) };
}

/** The same steps with the same examples, in the engine's trainer. */
export async function runTraining(
  { args, micro_batches, steps }: TrainingFile,
  {
    checkpoint,
    examples,
    saved,
  }: { checkpoint: LoadedCheckpoint; examples: ClaraExample[]; saved: ReadonlySet<number> },
  { engine: start, signal }: Session,
): Promise<TrainingRun> {
  const engine = await start();
  const stage = stageNamed(args.stage);
  const { shape, base, adapters } = checkpoint;
  const parts = args.train_batch_size / args.micro_train_batch_size;
  const batches: Batches = function* ({ cursor }) {
    for (let at = cursor; at + parts <= micro_batches.length; at += parts) {
      const taken = micro_batches.slice(at, at + parts).map(({ records }) => records.map((line) => examples[line]!));
      const ids = taken.flat().map(({ id }) => id);
      const counts = { tokens: 0, examples: ids.length, ids };
      yield {
        parts: taken.map((part) => claraPart(part)),
        divisor: parts,
        ...counts,
        next: { epoch: 0, cursor: at + parts },
      };
    }
  };
  const options = { engine, shape, base, adapters, batches, ...(!args.mse_loss && { alignmentWeight: 0 }) };
  const build: Readonly<Record<Stage, () => Promise<Task>>> = {
    compression: () => compressionTask(options),
    instruction: () => instructionTask(options),
    endToEnd: () => endToEndTask({ engine, shape, base, adapters, batches, selected: args.generation_top_k }),
  };
  const settings = scheduleNamed(args.lr_scheduler, args.learning_rate, Math.ceil(steps.length * args.lr_warmup_ratio));
  if (!settings) throw new Error(`${args.lr_scheduler} is a schedule that Clara has not`);
  const [beta1, beta2] = args.adam_betas;
  const optimizer = { weightDecay: args.l2, clipNorm: args.max_norm, beta1, beta2 };
  const task = await build[stage]();
  const { loss, specs, params, leastSizes } = task;
  const trainer = await engine.trainer(loss, specs, { params, ...(leastSizes && { leastSizes }) });
  const outputs: { loss: number; outputs: HostTensors }[] = [];
  const [rates, norms]: [number[], number[]] = [[], []];
  const after = new Map<number, Readonly<Record<string, Weights[string]>>>();
  const trainable = params.filter((store) => store.trainable);
  try {
    const taken = trainSteps({
      trainer: {
        step: trainer.step,
        // Numbers of each micro-batch, which a step gives the mean of.
        accumulate: async (inputs, options) => {
          const result = await trainer.accumulate(inputs, options);
          outputs.push(result);
          return result;
        },
      },
      batches,
      schedule: scheduleOf({ ...settings, ...optimizer }, steps.length),
      steps: steps.length,
      optimizer,
      signal,
    });
    for await (const { step, learningRate, norm } of taken) {
      rates.push(learningRate);
      norms.push(norm);
      if (!saved.has(step)) continue;
      const values = Object.assign({}, ...(await Promise.all(trainable.map((store) => store.read()))));
      after.set(step, referenceNames(values, shape.decoder) as Record<string, Weights[string]>);
    }
  } finally {
    await trainer.dispose();
    for (const store of params) await store.dispose();
  }
  return { rates, norms, outputs, after, trained: trainable.flatMap(({ shapes }) => Object.keys(shapes)) };
}
