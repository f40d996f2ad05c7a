/**
 * Groups sequences of like length, longest first: little padding, and the most memory is asked for at once.
 *
 * @param maxTokens of a batch, padding included; a longer sequence is a batch by itself.
 * @returns each batch as positions in `lengths`.
 */
export function batchByLength(lengths: readonly number[], maxTokens: number): number[][] {
  // Positions order equal lengths, so that runs repeat exactly.
  const order = lengths.map((_, i) => i).sort((a, b) => lengths[b]! - lengths[a]! || a - b);
  const batches: number[][] = [];
  let batch: number[] = [];
  for (const i of order) {
    // The first of a batch is its longest.
    if (batch.length > 0 && (batch.length + 1) * lengths[batch[0]!]! > maxTokens) {
      batches.push(batch);
      batch = [];
    }
    batch.push(i);
  }
  if (batch.length > 0) batches.push(batch);
  return batches;
}
