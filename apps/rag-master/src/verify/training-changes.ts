import type { Weights } from "@clara/core";
import { random } from "@clara/train";
import type { Checks, Part } from "./check.ts";
import { difference, type Numbers } from "./compare.ts";
import { referenceNames } from "./model.ts";
import type { LoadedCheckpoint } from "./session.ts";
import { CHANGE } from "./tolerances.ts";
import type { TrainingFile, TrainingRun } from "./training-run.ts";

/** A run, and what it began with, by the reference's names. */
export interface Changes {
  readonly run: TrainingRun;
  readonly before: Readonly<Record<string, Numbers>>;
}

/** The change since the checkpoint of everything that is recorded. */
export async function compareChanges(
  name: string,
  {
    json,
    recorded,
    changes,
    nudged,
  }: { json: TrainingFile; recorded: Weights; changes: Changes; nudged: () => Promise<Changes> },
  checks: Checks,
): Promise<void> {
  const tolerance = CHANGE * json.args.learning_rate;
  const keys = Object.keys(recorded).filter((key) => /^step\d+\//.test(key));
  const since = ({ run, before }: Changes, key: string, to = run.after.get(stepOf(key))?.[pathOf(key)]) => {
    const from = before[pathOf(key)];
    if (!from || !to) return undefined;
    return { data: Float32Array.from(to.data, (value, i) => value - from.data[i]!), shape: to.shape };
  };
  let again: Promise<Changes> | undefined;
  const partOf = async (key: string): Promise<Part> => {
    const [ours, theirs] = [since(changes, key), since(changes, key, recorded[key])];
    if (!ours || !theirs) return { what: `${key} is not trained`, error: Number.NaN };
    const { error, at } = difference(ours, theirs);
    if (!(error > tolerance)) return { what: `${key} ${at}`, error };
    again ??= nudged();
    const settled = difference(ours, withoutUnsettled(ours, theirs, since(await again, key)!, tolerance));
    return { what: `${key} ${settled.at}`, error: settled.error };
  };
  for (const [group, own] of Map.groupBy(keys, (key) => key.split("/").slice(0, 2).join("/"))) {
    const parts: Part[] = [];
    for (const key of own) parts.push(await partOf(key));
    checks.worst(`${name}/${group}`, parts, tolerance);
  }
}

const stepOf = (key: string): number => Number(/\d+/.exec(key)![0]);
const pathOf = (key: string): string => key.slice(key.indexOf("/") + 1);

/**
 * Expected changes in which those that nothing can be said of are ours. The optimizer divides a gradient by its own size, so one
 * that is hardly more than its rounding moves its parameter by any part of the learning rate. Such are known by this: they
 * move elsewhere when all adapters are changed by a hundred-thousandth. At most one in a hundred of a tensor may be.
 */
function withoutUnsettled(ours: Numbers, theirs: Numbers, nudged: Numbers, tolerance: number): Numbers {
  const far = (a: Numbers, i: number): number => Math.abs(a.data[i]! - ours.data[i]!);
  const unsettled = Array.from(ours.data, (_, i) => far(theirs, i) > tolerance && far(nudged, i) > tolerance / 2);
  const most = Math.max(1, ours.data.length / 100);
  if (unsettled.filter(Boolean).length > most) return theirs;
  return { ...theirs, data: Float32Array.from(theirs.data, (value, i) => (unsettled[i] ? ours.data[i]! : value)) };
}

/** The same checkpoint but for a hundred-thousandth of each adapter's numbers. */
export function nudgedAdapters(checkpoint: LoadedCheckpoint): LoadedCheckpoint {
  const { next } = random(1);
  const nudge = ({ data, shape }: Weights[string]): Weights[string] => {
    return { shape, data: data.map((value) => value * (1 + 1e-5 * (next() < 0.5 ? -1 : 1))) };
  };
  const each = Object.entries(checkpoint.adapters).map(([role, arrays]) => {
    return [role, Object.fromEntries(Object.entries(arrays).map(([path, array]) => [path, nudge(array)]))] as const;
  });
  return { ...checkpoint, adapters: Object.fromEntries(each) };
}

/** All that may be trained, by the reference's names. */
export function namedTensors({ shape, base, adapters }: LoadedCheckpoint): Readonly<Record<string, Numbers>> {
  const { firstMemoryId: first, memoryTokens: M, decoder } = shape;
  const flat = Object.entries(adapters).flatMap(([role, arrays]) =>
    Object.entries(arrays).map(([path, array]) => [`${role}.${path}`, array]),
  );
  const rows = base.words!.data.subarray(first * decoder.width, (first + M) * decoder.width);
  return referenceNames(
    { ...Object.fromEntries(flat), memoryRows: { data: rows, shape: [M, decoder.width] } },
    decoder,
  );
}
