import { existsSync, readFileSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { ClaraError } from "@clara/core";
import type { Recipe } from "@clara/train";
import { ioError, writeAtomic } from "../write-atomic.ts";
import type { LoadedRecipe } from "./load-recipe.ts";
import type { DataIdentity } from "./read-data.ts";

/** What run.json says: what is trained with what. A run can be resumed only as the same. */
export interface RunIdentity {
  readonly recipe: Omit<Recipe, "build" | "data"> & { readonly sha256: string };
  /** Id of the model that training started from. */
  readonly model: string;
  /** Of the files that have been read. */
  readonly data: Readonly<Record<string, DataIdentity>>;
  /** When the run began, ISO 8601. */
  readonly started: string;
}

export interface RunFolder {
  readonly folder: string;
  readonly checkpointFile: string;
  readonly logFile: string;
  readonly reportFile: string;
  /** Bytes of the checkpoint to go on from, if there is one. */
  readonly checkpoint: Uint8Array | undefined;
  /** Of the run that is resumed. */
  readonly identity: RunIdentity | undefined;
}

const runName = "run.json";

/**
 * Opens a folder for a run; nothing is written yet.
 *
 * @throws ClaraError "option" when it has a run already and is not to be resumed, has none and is, or has a model.
 */
export function openRunFolder(folder: string, resume: boolean): RunFolder {
  const at = (name: string): string => join(folder, name);
  const checkpointFile = at("checkpoint.safetensors");
  const identity = existsSync(at(runName)) ? readIdentity(at(runName)) : undefined;
  if (identity && !resume) {
    throw new ClaraError(
      "option",
      `${folder} has a run of the recipe "${identity.recipe.name}" already, begun ${identity.started}; go on with it by --resume, or name another folder by --out`,
    );
  }
  if (resume && !identity) {
    throw new ClaraError(
      "option",
      `--resume: ${folder} has no ${runName}, so no run to go on with; leave --resume out`,
    );
  }
  if (!identity && (existsSync(at("config.json")) || existsSync(checkpointFile))) {
    throw new ClaraError("option", `${folder} has a model or a checkpoint already; name another folder by --out`);
  }
  return {
    folder,
    checkpointFile,
    logFile: at("log.jsonl"),
    reportFile: at("report.html"),
    checkpoint: existsSync(checkpointFile) ? new Uint8Array(readFileSync(checkpointFile)) : undefined,
    identity,
  };
}

export function identityOf({ recipe, sha256 }: LoadedRecipe, model: string, steps: number): RunIdentity {
  const { build: _, data: __, ...settings } = recipe;
  return { recipe: { ...settings, steps, sha256 }, model, data: {}, started: new Date().toISOString() };
}

/**
 * Whether a run may go on as what it began as. It may be made longer.
 *
 * @returns what else has changed, for people.
 * @throws ClaraError "option" when it is another recipe, other settings or another model.
 */
export function checkSameRun(folder: string, old: RunIdentity, now: RunIdentity): string[] {
  if (old.recipe.name !== now.recipe.name) {
    throw new ClaraError(
      "option",
      `--resume: ${folder} holds a run of the recipe "${old.recipe.name}", not of "${now.recipe.name}"; resume that one, or name another folder by --out`,
    );
  }
  if (old.model !== now.model) {
    throw new ClaraError(
      "option",
      `--resume: the run in ${folder} started from the model ${old.model}, not from ${now.model}; name that model's folder by --model, or another folder by --out`,
    );
  }
  const changed = [...differences(old.recipe, now.recipe), ...differences(old.recipe.optimizer, now.recipe.optimizer)];
  if (changed.length > 0) {
    throw new ClaraError(
      "option",
      `--resume: the recipe has changed since ${folder} was begun: ${changed.join("; ")}; set it back, or name another folder by --out`,
    );
  }
  const notes: string[] = [];
  if (old.recipe.sha256 !== now.recipe.sha256) {
    notes.push("the recipe's file has changed since the run began; the run goes on with what it says now");
  }
  const { schedule } = now.recipe.optimizer;
  if (old.recipe.steps !== now.recipe.steps && (schedule === "linear" || schedule === "cosine")) {
    notes.push(
      `from here on the learning rate is that of a run of ${now.recipe.steps} steps, not of ${old.recipe.steps}`,
    );
  }
  return notes;
}

/** @throws ClaraError "option" when a file is not the one that the run began with. */
export function checkSameData(name: string, old: DataIdentity | undefined, now: DataIdentity): void {
  if (old === undefined || old.sha256 === now.sha256) return;
  throw new ClaraError(
    "option",
    `--resume: ${now.path}: is not the file that the run began with (sha256 ${now.sha256.slice(0, 12)}…, then ${old.sha256.slice(0, 12)}… of ${old.path}); name that one by --data ${name}=PATH, or another folder by --out`,
  );
}

/** Makes the folder, and says in it what the run is. @throws ClaraError "io". */
export async function saveIdentity({ folder }: RunFolder, identity: RunIdentity): Promise<void> {
  await mkdir(folder, { recursive: true }).catch((cause: unknown) => {
    throw ioError(folder, cause);
  });
  await writeAtomic(join(folder, runName), `${JSON.stringify(identity, null, 2)}\n`);
}

function differences(old: object, now: object): string[] {
  const free = new Set(["steps", "sha256", "about", "optimizer"]);
  return Object.keys({ ...old, ...now }).flatMap((name) => {
    const [before, after] = [old, now].map((of) => JSON.stringify((of as Record<string, unknown>)[name]));
    return free.has(name) || before === after ? [] : [`${name} was ${before ?? "not set"}, is ${after ?? "not set"}`];
  });
}

function readIdentity(path: string): RunIdentity {
  try {
    return JSON.parse(readFileSync(path, "utf8")) as RunIdentity;
  } catch (cause) {
    throw new ClaraError(
      "input",
      `${path}: cannot be read: ${(cause as Error).message}; name another folder by --out`,
      {
        cause,
      },
    );
  }
}
