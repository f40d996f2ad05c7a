import type { Batches, Position, TrainingBatch } from "./train-steps.ts";

const beginning: Position = { epoch: 0, cursor: 0 };

/** The first batches from a position on. */
export async function take(batches: Batches, count: number, from: Position = beginning): Promise<TrainingBatch[]> {
  const taken: TrainingBatch[] = [];
  for await (const batch of batches(from)) {
    taken.push(batch);
    if (taken.length === count) break;
  }
  return taken;
}

/** As `take`, of batches that wait for nothing. */
export function takeNow(batches: Batches, count: number, from: Position = beginning): TrainingBatch[] {
  const taken: TrainingBatch[] = [];
  for (const batch of batches(from) as Iterable<TrainingBatch>) {
    taken.push(batch);
    if (taken.length === count) break;
  }
  return taken;
}
