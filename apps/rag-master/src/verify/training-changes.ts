import type { Weights } from "@clara/core";
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
export function compareChanges(
  name: string,
  { json, recorded, changes }: { json: TrainingFile; recorded: Weights; changes: Changes },
  checks: Checks,
): void {
  const { run, before } = changes;
  const partOf = (key: string): Part => {
    const from = before[pathOf(key)];
    const ours = run.after.get(stepOf(key))?.[pathOf(key)];
    if (!from || !ours) return { what: `${key} is not trained`, error: Number.NaN };
    const since = ({ data, ...rest }: Numbers): Numbers => ({
      ...rest,
      data: Float32Array.from(data, (value, i) => value - from.data[i]!),
    });
    const { error, at } = difference(since(ours), since(recorded[key]!));
    return { what: `${key} ${at}`, error };
  };
  const keys = Object.keys(recorded).filter((key) => /^step\d+\//.test(key));
  for (const [group, own] of Map.groupBy(keys, (key) => key.split("/").slice(0, 2).join("/"))) {
    checks.worst(`${name}/${group}`, own.map(partOf), CHANGE * json.args.learning_rate);
  }
}

const stepOf = (key: string): number => Number(/\d+/.exec(key)![0]);
const pathOf = (key: string): string => key.slice(key.indexOf("/") + 1);

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
