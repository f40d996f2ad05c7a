import { ClaraError, type Memory } from "@clara/core";
import { type QuantizedMemory, unpack } from "../quantize.ts";

/**
 * Cosine of a query [M·D] with a memory [M, D], both flattened: how CLaRa's documents are ranked. 0 where one of them is zeros.
 *
 * @throws ClaraError "shape" when the query is not as long as the memory.
 * @see He et al. 2025, "CLaRa", section 2.2. https://arxiv.org/abs/2511.18659
 */
export function memoryCosine(query: Float32Array, memory: Memory | QuantizedMemory): number {
  const { count: M, width: D } = memory;
  if (query.length !== M * D) {
    throw new ClaraError("shape", `memoryCosine: query must be [${M}·${D}], ${M * D} numbers, got ${query.length}`);
  }
  const row = new Float32Array(D);
  let [dot, ofQuery, ofMemory] = [0, 0, 0];
  for (let m = 0; m < M; m++) {
    if ("values" in memory) unpack(memory, m, row);
    const vector = "values" in memory ? row : memory.vectors.subarray(m * D, (m + 1) * D);
    for (let d = 0; d < D; d++) {
      const [q, x] = [query[m * D + d]!, vector[d]!];
      dot += q * x;
      ofQuery += q * q;
      ofMemory += x * x;
    }
  }
  return dot === 0 ? 0 : dot / Math.sqrt(ofQuery * ofMemory);
}
