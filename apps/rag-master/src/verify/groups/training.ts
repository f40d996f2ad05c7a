import { mean } from "@clara/evaluation";
import { adapterNames, type ClaraRecord } from "@clara/train";
import { stageNamed } from "../batch.ts";
import type { Checks, Part } from "../check.ts";
import type { Group } from "../group.ts";
import type { LoadedCheckpoint, Session } from "../session.ts";
import { GRADIENT, LEARNING_RATE, LOSS, MEASURE } from "../tolerances.ts";
import { compareChanges, namedTensors } from "../training-changes.ts";
import { exampleOf, runTraining, type TrainingFile, type TrainingRun } from "../training-run.ts";
import { readFile } from "./reader.ts";
import { retrievalMeasure } from "./retrieval-metrics.ts";

/** The optimizer steps of the reference's own training, with the same records in the same order. */
export const training: Group = {
  name: "training",
  async run(session, checks) {
    const { folder } = session;
    const files = folder.names("training", ".json");
    if (files.length === 0) checks.skip("training", "needs files in training/");
    for (const file of files) {
      const name = `training/${file}`;
      await checks.attempt(name, async () => {
        const json = folder.json<TrainingFile>(`${name}.json`);
        const recorded = folder.weights(`${name}.safetensors`);
        const memoryTokens = Object.entries(recorded).find(([key]) => key.endsWith("/memory_rows"))?.[1].shape[0];
        const path = session.findCheckpoint({ stage: json.args.stage, memoryTokens, name: file });
        const checkpoint = session.checkpoint(path);
        const stage = stageNamed(json.args.stage);
        // A run with a name of its own may have records of its own.
        const data = [file, json.args.stage].map((of) => `data/${of}.jsonl`).find(folder.has) ?? `data/${file}.jsonl`;
        const records = await readFile(data, stage, json.args.generation_top_k, session);
        const examples = records.map((record) => exampleOf(record, json, checkpoint, session));
        const saved = new Set(Object.keys(recorded).flatMap((key) => Number(/^step(\d+)\//.exec(key)?.[1] ?? 0)));
        const run = await runTraining(json, { checkpoint, examples, saved }, session);
        compareSteps(name, json, run, checks);
        if (stage === "endToEnd") compareChoices(name, { json, records, run }, checks);
        compareChanges(name, { json, recorded, changes: { run, before: namedTensors(checkpoint) } }, checks);
        compareNames(name, { json, checkpoint, run }, checks);
        // Recorded of the stage's own run.
        if (stage === "instruction" && file === json.args.stage) {
          await checks.attempt(accumulationName, () => accumulation(run, session, checks));
        }
      });
    }
  },
};

/** Learning rates, gradient norms, and what each micro-batch gave. */
function compareSteps(
  name: string,
  { args, micro_batches, steps }: TrainingFile,
  run: TrainingRun,
  checks: Checks,
): void {
  checks.close(`${name}/lr_used`, { data: run.rates }, { data: steps.map(({ lr_used }) => lr_used) }, LEARNING_RATE);
  const norms = steps.map(({ grad_norm_before_clip: wanted }, i) => ({
    what: `step ${i + 1}`,
    error: Math.abs(run.norms[i]! / wanted - 1),
  }));
  checks.worst(`${name}/grad_norm_before_clip`, norms, GRADIENT);
  const taken = micro_batches.slice(0, run.outputs.length);
  const output = (key: string) => run.outputs.map(({ outputs }) => Number(outputs[key]?.data[0] ?? Number.NaN));
  const recorded = (key: "ce" | "mse") => ({ data: taken.map((part) => part[key]) });
  if (stageNamed(args.stage) !== "endToEnd") {
    checks.close(`${name}/ce`, { data: output("languageModel") }, recorded("ce"), LOSS);
    checks.close(`${name}/mse`, { data: output("alignment") }, recorded("mse"), LOSS);
    return;
  }
  checks.close(`${name}/ce`, { data: run.outputs.map(({ loss }) => loss) }, recorded("ce"), LOSS);
  checks.skip(`${name}/mse`, "is not computed where documents are read without a gradient; forward/ has it");
}

/** The documents that were selected, and how many of them are right. */
function compareChoices(
  name: string,
  { json, records, run }: { json: TrainingFile; records: readonly ClaraRecord[]; run: TrainingRun },
  checks: Checks,
): void {
  const k = json.args.generation_top_k;
  const chosen = run.outputs.map(({ outputs }, i) => {
    const { indices } = outputs;
    return json.micro_batches[i]!.records.map((line, b) => ({
      topk_indices: Array.from(indices?.data.slice(b * k, (b + 1) * k) ?? [], Number),
      pos_index: (records[line] as Extract<ClaraRecord, { kind: "answer" }>).positives,
    }));
  });
  const taken = json.micro_batches.slice(0, chosen.length);
  if (taken.every(({ topk_indices }) => topk_indices)) {
    checks.same(
      `${name}/topk_indices`,
      chosen.map((rows) => rows.map(({ topk_indices }) => topk_indices)),
      taken.map(({ topk_indices }) => topk_indices),
    );
  }
  const parts = taken.flatMap(({ retrieval_metrics = {} }, i) =>
    Object.entries(retrieval_metrics).flatMap(([key, wanted]): Part[] => {
      const measure = retrievalMeasure(key);
      // Questions without a right document are left out. The names with "retrieval_" are always 0 in the reference.
      const valid = chosen[i]!.filter(({ pos_index }) => pos_index.length > 0);
      if (!measure) return [];
      const found = valid.length === 0 ? 0 : mean(valid.map(measure));
      return [{ what: `micro-batch ${i} ${key}`, error: Math.abs(found - wanted) }];
    }),
  );
  if (parts.length > 0) checks.worst(`${name}/retrieval_metrics`, parts, MEASURE);
}

const accumulationName = "quirks/gradient_accumulation_in_deepspeed";

/** With the optimizer that the reference pins, all micro-batches of a step but the last are lost. Not with ours. */
function accumulation(run: TrainingRun, { folder }: Session, checks: Checks): void {
  type Quirks = { gradient_accumulation_in_deepspeed?: { zero_stage_1_grad_norm_step_1: number } };
  const wanted = folder.json<Quirks>("quirks.json").gradient_accumulation_in_deepspeed;
  if (!wanted) {
    checks.skip(accumulationName, "is not recorded");
    return;
  }
  const error = Math.abs(run.norms[0]! / wanted.zero_stage_1_grad_norm_step_1 - 1);
  checks.worst(accumulationName, [{ what: "the gradient's norm of step 1", error }], GRADIENT);
}

/** That nothing else is trained. */
function compareNames(
  name: string,
  { json, checkpoint, run }: { json: TrainingFile; checkpoint: LoadedCheckpoint; run: TrainingRun },
  checks: Checks,
): void {
  const { firstMemoryId: first, memoryTokens: M } = checkpoint.shape;
  if (json.changed_parameters) {
    const named = run.trained.map((path) =>
      path === "memoryRows" ? "embed_tokens" : adapterNames[path.split(".")[0] as keyof typeof adapterNames],
    );
    checks.same(`${name}/changed_parameters`, [...new Set(named)].sort(), json.changed_parameters.toSorted());
  }
  if (json.changed_embedding_rows) {
    const ids = run.trained.includes("memoryRows") ? Array.from({ length: M }, (_, i) => first + i) : [];
    checks.same(`${name}/changed_embedding_rows`, ids, json.changed_embedding_rows);
  }
}
