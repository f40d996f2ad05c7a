import { ClaraError, throwIfAborted } from "@clara/core";
import type { Engine } from "@clara/engine";
import { type Check, createChecks, type SkippedCheck } from "./check.ts";
import { type Folder, openFolder } from "./folder.ts";
import type { Group } from "./group.ts";
import { baseForward } from "./groups/base-forward.ts";
import { checkpoints } from "./groups/checkpoints.ts";
import { compress } from "./groups/compress.ts";
import { decoderFolders, decoders } from "./groups/decoders.ts";
import { extractAnswers } from "./groups/extract-answers.ts";
import { forward } from "./groups/forward.ts";
import { generation } from "./groups/generation.ts";
import { metrics } from "./groups/metrics.ts";
import { optimizer } from "./groups/optimizer.ts";
import { prompts } from "./groups/prompts.ts";
import { quirks } from "./groups/quirks.ts";
import { reader } from "./groups/reader.ts";
import { retrievalLoss } from "./groups/retrieval-loss.ts";
import { retrievalMetrics } from "./groups/retrieval-metrics.ts";
import { schedule } from "./groups/schedule.ts";
import { tokenization } from "./groups/tokenization.ts";
import { topk } from "./groups/topk.ts";
import { training } from "./groups/training.ts";
import { createSession } from "./session.ts";

export type { Check, SkippedCheck } from "./check.ts";

/** The groups of a folder with the reference's recorded values, quick ones first. */
const claraGroups: readonly Group[] = [
  checkpoints,
  tokenization,
  prompts,
  reader,
  metrics,
  retrievalMetrics,
  extractAnswers,
  schedule,
  topk,
  baseForward,
  optimizer,
  compress,
  forward,
  retrievalLoss,
  training,
  generation,
  quirks,
];

/** All that `only` can name. */
export const groupNames: readonly string[] = [...claraGroups, decoders].map(({ name }) => name);

export interface VerifyOptions {
  /** Starts the engine; called once, by the first check that computes with it. The engine stays the caller's. */
  readonly engine: () => Promise<Engine>;
  /** Names of groups. @default all */
  readonly only?: readonly string[] | undefined;
  /** Called before each group and each of its parts: groups done, groups in all, and what is next. */
  readonly onProgress?: ((done: number, total: number, name: string) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface Verification {
  readonly checks: readonly Check[];
  /** Counts of `checks`, and of what the folder's files do not allow. */
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
  readonly skippedChecks: readonly SkippedCheck[];
}

/**
 * Compares what Clara computes with what the reference has been recorded to compute, as far as a folder's files allow. Damaged
 * files are failed checks, missing ones are skipped checks.
 *
 * @throws ClaraError "input" when the folder is of neither kind, "option" for an unknown group, "aborted".
 */
export async function verifyCheckpoint(
  path: string,
  { engine, only = groupNames, onProgress, signal }: VerifyOptions,
): Promise<Verification> {
  const unknown = only.find((name) => !groupNames.includes(name));
  if (unknown !== undefined)
    throw new ClaraError(
      "option",
      `verify-checkpoint: there are no checks "${unknown}"; there are ${groupNames.join(", ")}`,
    );
  const folder = openFolder(path);
  const groups = groupsOf(folder).filter(({ name }) => only.includes(name));
  let done = 0;
  const checks = createChecks({ signal, onAttempt: (name) => onProgress?.(done, groups.length, name) });
  const session = createSession(folder, { engine, signal });
  if (only === groupNames) for (const name of unknownFiles(folder)) checks.skip(name, "is not known");
  for (const group of groups) {
    throwIfAborted(signal, "verify-checkpoint");
    await checks.attempt(group.name, () => group.run(session, checks));
    done++;
  }
  const { list, skipped } = checks;
  const passed = list.filter((check) => check.passed).length;
  const counts = { passed, failed: list.length - passed, skipped: skipped.length };
  return { checks: list, ...counts, skippedChecks: skipped };
}

/** What the checks of a folder with the reference's recorded values are made of. Any of it may be absent. */
const recordedFiles: readonly string[] = [
  ...["base-forward.json", "checkpoints.json", "checkpoints", "forward", "tokenization.json", "generation.json"],
  ...["topk.json", "metrics.json", "reader.json", "training", "compress", "quirks.json", "schedule.json"],
  ...["optimizer.json", "prompts.json", "retrieval-metrics.json", "extract-answers.json"],
];
const besideThem = ["base-forward.safetensors", "topk.safetensors", "optimizer.safetensors", "base", "data"];

/** @throws ClaraError "input" when there is nothing to compare with. */
function groupsOf(folder: Folder): readonly Group[] {
  if (decoderFolders(folder).length > 0) return [decoders];
  if (recordedFiles.some((file) => folder.has(file))) return claraGroups;
  throw new ClaraError(
    "input",
    `${folder.path}: has neither recorded values of the reference (checkpoints/, forward/, tokenization.json, …) nor those of ` +
      "a decoder (config.json, model.safetensors, expected.safetensors); docs/verify-checkpoint.md shows both",
  );
}

/** Names in a folder of recorded values that no check reads: they may be the checks of a later version. */
function unknownFiles(folder: Folder): string[] {
  if (decoderFolders(folder).length > 0) return [];
  const known = new Set([...recordedFiles, ...besideThem, "manifest.json"]);
  const isTokenizer = (name: string): boolean => folder.has(`${name}/tokenizer.json`);
  const unread = (name: string): boolean => /^\.|^readme|^licen[cs]e|\.(md|txt)$/i.test(name);
  return folder.names(".").filter((name) => !known.has(name) && !isTokenizer(name) && !unread(name));
}
