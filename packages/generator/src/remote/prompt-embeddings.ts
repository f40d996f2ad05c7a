import { ClaraError } from "@clara/core";

/** [D] The embedding of a token. Undefined where the table has no such row. */
export type EmbeddingRow = (id: number) => Float32Array | undefined;

/** Rows of a table [V, D] that is in memory; a row is a view of it. */
export function tableRows(table: { readonly shape: readonly number[]; readonly data: Float32Array }): EmbeddingRow {
  const [V = 0, D = 0] = table.shape;
  if (table.shape.length !== 2 || V * D !== table.data.length) {
    const got = `[${table.shape.join(", ")}] with ${table.data.length} numbers`;
    throw new ClaraError("shape", `tableRows: table must be [V, D], got ${got}`);
  }
  return (id) => (id < V ? table.data.subarray(id * D, (id + 1) * D) : undefined);
}

export interface PromptEmbeddingsOptions {
  /** [T] The prompt, memory tokens included. */
  readonly ids: ArrayLike<number>;
  /** Embeddings of all tokens of it but memory tokens, whose rows are not asked for. */
  readonly row: EmbeddingRow;
  /** k memories, each [n, D], row-major, in the order of their places in the prompt. */
  readonly memories: readonly Float32Array[];
  /** `n`: memory tokens of one memory; they have consecutive ids. */
  readonly memoryTokens: number;
  readonly firstMemoryId: number;
  /** `D` */
  readonly width: number;
}

/**
 * The prompt as embeddings: those of its tokens, and in the places of memory tokens the memories. The j-th run of memory
 * tokens, each from the first to the last, is the place of memory j. What lies between the runs (a separator, words) stays.
 *
 * @returns [T, D], row-major
 * @throws ClaraError "shape" when the prompt has other places than there are memories, a run is not whole, or a memory or
 *   row is not of this width; "option" for an empty prompt, and an id without a row.
 * @see He et al. 2025, "CLaRa". https://arxiv.org/abs/2511.18659
 */
export function promptEmbeddings(options: PromptEmbeddingsOptions): Float32Array {
  const { ids, row, memories, memoryTokens: n, firstMemoryId, width: D } = options;
  if (ids.length === 0) throw new ClaraError("option", "promptEmbeddings: ids must hold at least one token, got none");
  for (const [j, memory] of memories.entries()) {
    if (memory.length !== n * D) {
      fail(`memory ${j} must be [${n}, ${D}] = ${n * D} numbers, got ${memory.length}`);
    }
  }
  const out = new Float32Array(ids.length * D);
  let run = -1;
  let next = 0; // the place in its run that comes now; 0 between runs
  for (let t = 0; t < ids.length; t++) {
    const place = ids[t]! - firstMemoryId;
    const inside = place >= 0 && place < n;
    if (inside ? place !== next : next !== 0) {
      fail(`token ${t} is ${name(place, ids[t]!)}, expected ${name(next, firstMemoryId)}; give the prompt whole runs`);
    }
    if (!inside) {
      out.set(rowOf(ids[t]!, t), t * D);
      continue;
    }
    if (place === 0) run++;
    next = (place + 1) % n;
    out.set(memories[run]?.subarray(place * D, (place + 1) * D) ?? [], t * D);
  }
  if (next !== 0) fail(`the prompt ends before ${name(next, firstMemoryId)}; was it cut?`);
  if (run + 1 !== memories.length) fail(`the prompt has places for ${run + 1} memories, got ${memories.length}`);
  return out;

  function rowOf(id: number, t: number): Float32Array {
    const found = row(id);
    if (found === undefined) {
      throw new ClaraError("option", `promptEmbeddings: token ${t} has id ${id}, and the table has no such row`);
    }
    if (found.length !== D) fail(`the row of id ${id} must be [${D}], got ${found.length} numbers`);
    return found;
  }

  function name(place: number, id: number): string {
    return place >= 0 && place < n ? `memory token ${place}` : `id ${id}`;
  }
}

function fail(problem: string): never {
  throw new ClaraError("shape", `promptEmbeddings: ${problem}`);
}
