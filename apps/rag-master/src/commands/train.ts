import { ClaraError } from "@clara/core";
import { scheduleOf } from "@clara/train";
import type { Command } from "commander";
import { openEngine } from "../engine.ts";
import { recipeFolder } from "../recipe-folder.ts";
import { dryRun, type Estimate } from "../train/dry-run.ts";
import { type LoadedRecipe, loadRecipe } from "../train/load-recipe.ts";
import { duration, perSecond, progressDetail, smooth, sum } from "../train/rates.ts";
import { checkData, withPaths } from "../train/read-data.ts";
import { openRunFolder, type RunFolder } from "../train/run-folder.ts";
import { runTraining } from "../train/run-training.ts";
import { readStartingModel } from "../train/starting-model.ts";
import { type CommandContext, integer } from "./context.ts";

interface Flags {
  readonly out?: string;
  readonly data?: string[];
  readonly model?: string;
  readonly steps?: string;
  readonly seed?: string;
  readonly resume?: boolean;
  readonly dryRun?: boolean;
  readonly checkpointMinutes: string;
  readonly json?: boolean;
}

export function addTrain(program: Command, context: CommandContext): void {
  program
    .command("train")
    .summary("train a model by a recipe")
    .description(
      "Trains by a recipe, a file of code that says what is trained with what, into a folder: a model, checkpoints, a log and a report.",
    )
    .argument("<recipe>", "a .ts or .js file, or the name of one in the repository's recipes/")
    .option("--out <dir>", 'folder of the run and of its model (default: "runs/<recipe>")')
    .option("--data <name=path...>", "another file for one that the recipe reads")
    .option("--model <dir>", "model folder to start from (default: the embedded model)")
    .option("--steps <n>", "steps in all, instead of the recipe's")
    .option("--seed <n>", "of all that is drawn at random, instead of the recipe's")
    .option("--resume", "go on from the folder's last checkpoint, bit for bit")
    .option("--dry-run", "a few steps, and what the whole run will take; nothing is written")
    .option("--checkpoint-minutes <n>", "minutes from one checkpoint to the next; 0: after every step", "3")
    .option("--json", "one JSON value on stdout")
    .addHelpText(
      "after",
      "\nExamples:\n  train reader --dry-run\n  train reader --data squad=train-v1.1.json.gz\n  train recipes/reader.ts --out runs/second --model runs/reader\n  train reader --resume",
    )
    .action(async (name: string, flags: Flags) => {
      const steps = integer("--steps", flags.steps, { min: 1 });
      const checkpointMinutes = minutes(flags.checkpointMinutes);
      const found = loadRecipe(name, recipeFolder());
      scheduleOf(found.recipe.optimizer, steps ?? found.recipe.steps); // too few steps are refused before anything is read
      const out = flags.out ?? `runs/${found.recipe.name}`;
      const folder = flags.dryRun ? undefined : openRunFolder(out, flags.resume ?? false);
      const seed = integer("--seed", flags.seed, { min: 0 }) ?? folder?.identity?.recipe.seed ?? found.recipe.seed;
      const data = withPaths(found.recipe.data, flags.data ?? []);
      const loaded = { ...found, recipe: { ...found.recipe, seed, data } };
      await checkData(loaded.recipe.data);
      const model = await readStartingModel(flags.model);
      const { terminal, cache, runtime } = context;
      const engine = await openEngine({ ...runtime(), cache, onPassedOver: terminal.warn });
      try {
        terminal.info(`${loaded.recipe.name}: reading data, then compiling`);
        if (folder) await run(loaded, { engine, model, folder, steps, checkpointMinutes }, flags, context);
        else await estimate(loaded, { engine, model, steps: steps ?? loaded.recipe.steps }, flags, context);
      } finally {
        await engine.dispose();
      }
    });
}

type Running = Pick<Parameters<typeof runTraining>[1], "engine" | "model" | "steps" | "checkpointMinutes"> & {
  readonly folder: RunFolder;
};

async function run(loaded: LoadedRecipe, running: Running, flags: Flags, context: CommandContext): Promise<void> {
  const { terminal, signal } = context;
  const { folder, model } = running;
  let progress: ReturnType<typeof terminal.progress> | undefined;
  const result = await runTraining(loaded, {
    ...running,
    signal,
    onNote: terminal.warn,
    onStep(entries, steps) {
      progress ??= terminal.progress("training", steps);
      progress.update(entries.at(-1)!.step, progressDetail(entries, steps));
    },
  }).finally(() => progress?.stop());
  const { step, steps, entries } = result;
  const seconds = sum(entries, "seconds");
  const loss = smooth(
    entries.slice(-200).map((entry) => entry.loss),
    0.05,
  ).at(-1);
  if (flags.json) {
    terminal.printJson({
      recipe: loaded.recipe.name,
      out: folder.folder,
      from: model.id,
      model: result.model ?? null,
      step,
      steps,
      loss: loss ?? null,
      examples: sum(entries, "examples"),
      tokens: sum(entries, "tokens"),
      seconds: Math.round(seconds),
    });
  }
  if (result.model === undefined) {
    terminal.info(`step ${step} of ${steps} is saved in ${folder.checkpointFile}; --resume goes on from there`);
    throw new ClaraError("aborted", `train: stopped after step ${step} of ${steps}`);
  }
  terminal.print(`${step} steps, ${duration(seconds)}, loss ${loss?.toFixed(3) ?? "–"}`);
  terminal.print(`model: ${folder.folder} (${result.model})\nreport: ${folder.reportFile}`);
}

async function estimate(
  loaded: LoadedRecipe,
  running: Pick<Parameters<typeof dryRun>[1], "engine" | "model" | "steps">,
  flags: Flags,
  { terminal, signal }: CommandContext,
): Promise<void> {
  const expected = await dryRun(loaded, { ...running, signal });
  if (flags.json) terminal.printJson({ recipe: loaded.recipe.name, from: running.model.id, ...expected });
  else for (const line of linesOf(loaded, running.model.id, expected)) terminal.print(line);
}

function linesOf({ recipe }: LoadedRecipe, model: string, expected: Estimate): string[] {
  const count = (value: number): string => value.toLocaleString("en");
  const rows: [string, string][] = [
    ["recipe", `${recipe.name} (${recipe.stage}): ${recipe.about}`],
    ["from", model],
    ...Object.entries(recipe.data).map(([name, { path, licence }]): [string, string] => [
      `data ${name}`,
      `${path} (${licence})`,
    ]),
    ["steps", `${count(expected.steps)}; ${expected.tried} were tried, loss ${expected.loss.toFixed(3)} at the first`],
    ["examples", `about ${count(expected.examples)}, ${perSecond(expected.examplesPerSecond)}/s`],
    ["tokens", `about ${count(expected.tokens)}, ${perSecond(expected.tokensPerSecond)}/s`],
    ["time", `about ${duration(expected.minutes * 60)}`],
    ["memory", `${count(expected.peakMemoryMB)} MB at most so far`],
    ["checkpoint", `${(expected.checkpointBytes / 1e6).toFixed(1)} MB; twice that while one is written`],
  ];
  return ["dry run: nothing is written", ...rows.map(([name, text]) => `${name.padEnd(12)} ${text}`)];
}

function minutes(text: string): number {
  const value = Number(text);
  if (text.trim() !== "" && value >= 0 && value < Number.POSITIVE_INFINITY) return value;
  throw new ClaraError("option", `--checkpoint-minutes: needs a number of at least 0, got "${text}"`);
}
