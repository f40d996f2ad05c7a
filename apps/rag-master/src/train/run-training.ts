import { ClaraError } from "@clara/core";
import type { Engine } from "@clara/engine";
import { decodeCheckpoint, type RecipeStep, train } from "@clara/train";
import { type ModelFolder, readModelFolder } from "../model-folder.ts";
import { reportPage } from "../report/index.ts";
import { writeAtomic } from "../write-atomic.ts";
import type { LoadedRecipe } from "./load-recipe.ts";
import { type DataIdentity, dataReader } from "./read-data.ts";
import { checkSameData, checkSameRun, identityOf, type RunFolder, saveIdentity } from "./run-folder.ts";
import { trainable, writeTrainedModel } from "./starting-model.ts";
import { type LogEntry, openLog } from "./training-log.ts";
import { trainingReport } from "./training-report.ts";

export interface RunTrainingOptions {
  readonly engine: Engine;
  readonly model: ModelFolder;
  readonly folder: RunFolder;
  /** @default the recipe's, or those of the run that is resumed */
  readonly steps?: number | undefined;
  /** Minutes from one checkpoint to the next; 0 is one after every step. @default 3 */
  readonly checkpointMinutes?: number | undefined;
  /** When it fires, the step is finished and saved. */
  readonly signal?: AbortSignal | undefined;
  readonly onStep?: ((entries: readonly LogEntry[], steps: number) => void) | undefined;
  /** Told what a person should know, such as that a checkpoint could not be saved. */
  readonly onNote?: ((text: string) => void) | undefined;
  /** How checkpoints get onto the disk. @default writeAtomic */
  readonly save?: typeof writeAtomic | undefined;
}

export interface TrainingResult {
  /** Steps done, and of how many. */
  readonly step: number;
  readonly steps: number;
  readonly entries: readonly LogEntry[];
  /** Id of the trained model; undefined when the run was stopped before its end. */
  readonly model: string | undefined;
}

/**
 * Trains by a recipe into a folder: checkpoints and log.jsonl on the way; the model and report.html at the end.
 *
 * @throws ClaraError "option" when the folder's run is another, "input" when a loss is not finite, "io" when the end
 *   cannot be saved, and what the recipe throws. The last good checkpoint is then as it was.
 */
export async function runTraining(loaded: LoadedRecipe, options: RunTrainingOptions): Promise<TrainingResult> {
  const { engine, model, folder, signal, onStep, onNote = () => {} } = options;
  const { checkpointMinutes = 3, save = writeAtomic } = options;
  const { recipe } = loaded;
  const begun = folder.identity;
  const steps = options.steps ?? begun?.recipe.steps ?? recipe.steps;
  const identity = { ...identityOf(loaded, model.id, steps), ...(begun && { started: begun.started }) };
  if (begun) for (const note of checkSameRun(folder.folder, begun, identity)) onNote(note);
  let savedStep = folder.checkpoint ? stepOf(folder.checkpoint, recipe.name, folder.checkpointFile) : 0;
  const data: Record<string, DataIdentity> = { ...begun?.data };
  const { read } = dataReader(recipe.data, (name, file) => {
    checkSameData(name, begun?.data[name], file);
    data[name] = file;
  });
  await saveIdentity(folder, { ...identity, data });
  const log = openLog(folder.logFile, savedStep);
  try {
    if (savedStep >= steps) return done((await readModelFolder(folder.folder)).id);
    let known = false;
    let from = performance.now();
    let savedAt = from;
    const taken = train(
      { ...recipe, steps },
      { engine, model: trainable(model), read, steps, resume: folder.checkpoint },
    );
    for await (const step of taken) {
      // Only now all data have been read.
      if (!known) await saveIdentity(folder, { ...identity, data });
      known = true;
      const { loss, norm, learningRate, tokens, examples, measures } = step;
      const seconds = Number(((performance.now() - from) / 1000).toFixed(6));
      log.append({ step: step.step, loss, norm, learningRate, tokens, examples, seconds, measures });
      onStep?.(log.entries, steps);
      if (step.step === steps) return done(await finish(step));
      if (signal?.aborted) {
        await checkpoint(step);
        return done(undefined);
      }
      if (performance.now() - savedAt >= checkpointMinutes * 60_000) {
        // The run goes on: there may be room again at the next.
        await checkpoint(step).catch((error: Error) => onNote(`${error.message}; ${kept()}; the run goes on`));
        savedAt = performance.now();
      }
      from = performance.now();
    }
    throw new ClaraError("input", `${loaded.file}: its batches ended after ${log.entries.length} of ${steps} steps`);
  } catch (error) {
    onNote(kept());
    throw error;
  } finally {
    log.close();
  }

  function done(trained: string | undefined): TrainingResult {
    return { step: log.entries.at(-1)?.step ?? 0, steps, entries: log.entries, model: trained };
  }

  async function checkpoint(step: RecipeStep): Promise<void> {
    const bytes = await step.checkpoint();
    // Lines first: a checkpoint never knows of steps that the log does not.
    log.sync();
    await save(folder.checkpointFile, bytes);
    savedStep = step.step;
  }

  async function finish(step: RecipeStep): Promise<string> {
    const trained = { weights: await step.weights(), config: step.config };
    const { id } = await writeTrainedModel(folder.folder, recipe.name, model, trained);
    const report = trainingReport({ identity: { ...identity, data }, entries: log.entries, engine, trained: id });
    await writeAtomic(folder.reportFile, reportPage(report));
    // Last: whoever finds it takes everything for done.
    await checkpoint(step);
    return id;
  }

  function kept(): string {
    if (savedStep === 0) return "no checkpoint has been saved yet";
    return `the checkpoint of step ${savedStep} is kept in ${folder.checkpointFile}; --resume goes on from there`;
  }
}

function stepOf(checkpoint: Uint8Array, recipe: string, file: string): number {
  try {
    return decodeCheckpoint(checkpoint, recipe).step;
  } catch (cause) {
    if (!(cause instanceof ClaraError)) throw cause;
    throw new ClaraError(cause.code, `${file}: ${cause.message}; or delete it, to begin anew`, { cause });
  }
}
