import type { TokenTable } from "@clara/compressor";
import { ClaraError } from "@clara/core";
import type { EmbeddingRow } from "@clara/generator";
import { openSafetensors, type StoredTensor } from "@clara/model";
import { type FileSource, openSource } from "./import/file-source.ts";
import type { LensTable } from "./model.ts";

/**
 * Uses a decoder's table of words, [V, D], of a file that `import` has written; rows are read when they are asked for. That of
 * outputs is `head`, whole or in few bits, or `words` where a model has one table for both.
 *
 * @throws ClaraError "weights" when there is no such table.
 */
export function wordTable<T>(path: string, table: LensTable, use: (table: TokenTable) => T): T {
  const source = openSource(path);
  try {
    const { tensors } = openSafetensors(source);
    const { words, head, "head.packed": packed, "head.scales": scales } = tensors;
    const width = words?.shape[1];
    if (width === undefined) throw new ClaraError("weights", `${path}: there is no table of words`);
    if (table === "output" && packed && scales) return use(packedTable(packed, scales, width));
    return use(wholeTable(table === "output" ? (head ?? words!) : words!));
  } finally {
    source.close();
  }
}

export interface WordRows {
  /** The vector by which the decoder reads a token. Undefined where the table has no such row. */
  readonly row: EmbeddingRow;
  close(): void;
}

/**
 * Rows of the table of words that are read, one at a time, as they are asked for. The file is opened at the first.
 *
 * @throws ClaraError "weights" when there is no such table, from `row`.
 */
export function openWordRows(path: string): WordRows {
  let opened: { readonly source: FileSource; readonly words: StoredTensor } | undefined;
  const open = (): typeof opened & object => {
    const source = openSource(path);
    const { words } = openSafetensors(source).tensors;
    if (words !== undefined) return { source, words };
    source.close();
    throw new ClaraError("weights", `${path}: there is no table of words`);
  };
  return {
    row(id) {
      opened ??= open();
      const { shape, read } = opened.words;
      const [V, D] = shape as [number, number];
      return id < V ? floats(read(4 * id * D, 4 * (id + 1) * D)) : undefined;
    },
    close() {
      opened?.source.close();
      opened = undefined;
    },
  };
}

function wholeTable({ shape, read }: StoredTensor): TokenTable {
  const [V, D] = shape as [number, number];
  return { shape: [V, D], rows: (from, to) => floats(read(4 * from * D, 4 * to * D)) };
}

/** Rows of whole numbers with a scale for each block, multiplied out: see `quantizeNBits`. */
function packedTable(packed: StoredTensor, scales: StoredTensor, D: number): TokenTable {
  const [V, words] = packed.shape as [number, number];
  const blocks = scales.shape[1]!;
  const bits = (32 * words) / D;
  const [each, middle, mask] = [32 / bits, 2 ** (bits - 1), 2 ** bits - 1];
  return {
    shape: [V, D],
    rows(from, to) {
      const codes = new Int32Array(packed.read(4 * from * words, 4 * to * words).buffer);
      const steps = floats(scales.read(4 * from * blocks, 4 * to * blocks));
      return Float32Array.from({ length: (to - from) * D }, (_, i) => {
        const code = (codes[Math.floor(i / each)]! >>> (bits * (i % each))) & mask;
        return (code - middle) * steps[Math.floor((i * blocks) / D)]!;
      });
    },
  };
}

/** The bytes of a source are an array of their own. */
function floats(bytes: Uint8Array): Float32Array {
  return new Float32Array(bytes.buffer);
}
