/** A document by its place in the list that it was chosen from. */
export interface ChosenDocument {
  readonly index: number;
  /** Cosine of the query with the document's memory, both flattened. */
  readonly score: number;
}

/** All memories [M·D], the closest to a query [M·D] first; equal ones in the order of the list. */
export function rankMemories(query: Float32Array, memories: readonly Float32Array[]): ChosenDocument[] {
  const length = Math.sqrt(dot(query, query));
  return memories
    .map((memory, index) => {
      const lengths = length * Math.sqrt(dot(memory, memory));
      // To float32, so that a difference in the last bits does not order what is equal.
      return { index, score: lengths > 0 ? Math.fround(dot(query, memory) / lengths) : 0 };
    })
    .sort((a, b) => b.score - a.score || a.index - b.index);
}

function dot(a: Float32Array, b: Float32Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!;
  return sum;
}
