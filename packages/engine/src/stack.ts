import { ClaraError, type Weights } from "@clara/core";

/** A dense layer as checkpoints hold it: weight [O, I], bias [O]. */
export interface Dense {
  readonly weight: Float32Array;
  readonly bias: Float32Array;
}

/** What the graph is built from: everything of a BERT encoder but its word embeddings. All arrays are copies. */
export interface Stack {
  readonly width: number;
  readonly heads: number;
  readonly layerNormEps: number;
  /** Rows of the position table: the longest sequence. */
  readonly positions: number;
  readonly positionTable: Float32Array;
  readonly kinds: number;
  readonly kindTable: Float32Array;
  readonly norm: Dense;
  readonly layers: readonly Layer[];
}

export interface Layer {
  readonly query: Dense;
  readonly key: Dense;
  readonly value: Dense;
  readonly attended: Dense;
  readonly attentionNorm: Dense;
  /** Width of the feed-forward part. */
  readonly inner: number;
  readonly up: Dense;
  readonly down: Dense;
  readonly norm: Dense;
}

export interface StackOptions {
  readonly weights: Weights;
  readonly layers: number;
  readonly heads: number;
  readonly prefix: { readonly embeddings: string; readonly layer: string };
  readonly layerNormEps: number;
}

/** The word table [V, D], as it is in `weights`. @throws ClaraError "weights" when it is not there. */
export function wordTable(weights: Weights, prefix: string): { V: number; D: number; data: Float32Array } {
  const { rows: V, columns: D, data } = table(weights, `${prefix}.word_embeddings.weight`);
  return { V, D, data };
}

/**
 * Copies a stack's tensors out of a checkpoint, by Hugging Face's names for BERT.
 *
 * @throws ClaraError "weights" when a tensor is missing or has another shape, "option" when `heads` do not divide the width.
 */
export function readStack({ weights, layers, heads, prefix, layerNormEps }: StackOptions): Stack {
  const { D: width } = wordTable(weights, prefix.embeddings);
  if (!Number.isInteger(heads) || heads < 1 || width % heads !== 0) {
    throw new ClaraError("option", `createEncoder: heads must divide the width ${width}, got ${heads}`);
  }
  if (!Number.isInteger(layers) || layers < 1) {
    throw new ClaraError("option", `createEncoder: layers must be an integer of at least 1, got ${layers}`);
  }
  const dense = (name: string, O: number, I: number): Dense => ({
    weight: tensor(weights, `${name}.weight`, [O, I]).slice(),
    bias: tensor(weights, `${name}.bias`, [O]).slice(),
  });
  const norm = (name: string): Dense => ({
    weight: tensor(weights, `${name}.weight`, [width]).slice(),
    bias: tensor(weights, `${name}.bias`, [width]).slice(),
  });
  const layer = (name: string): Layer => {
    const { rows: inner } = table(weights, `${name}.intermediate.dense.weight`);
    return {
      query: dense(`${name}.attention.self.query`, width, width),
      key: dense(`${name}.attention.self.key`, width, width),
      value: dense(`${name}.attention.self.value`, width, width),
      attended: dense(`${name}.attention.output.dense`, width, width),
      attentionNorm: norm(`${name}.attention.output.LayerNorm`),
      inner,
      up: dense(`${name}.intermediate.dense`, inner, width),
      down: dense(`${name}.output.dense`, width, inner),
      norm: norm(`${name}.output.LayerNorm`),
    };
  };
  const { rows: positions } = table(weights, `${prefix.embeddings}.position_embeddings.weight`);
  const { rows: kinds } = table(weights, `${prefix.embeddings}.token_type_embeddings.weight`);
  return {
    width,
    heads,
    layerNormEps,
    positions,
    positionTable: tensor(weights, `${prefix.embeddings}.position_embeddings.weight`, [positions, width]).slice(),
    kinds,
    kindTable: tensor(weights, `${prefix.embeddings}.token_type_embeddings.weight`, [kinds, width]).slice(),
    norm: norm(`${prefix.embeddings}.LayerNorm`),
    layers: Array.from({ length: layers }, (_, i) => layer(`${prefix.layer}.${i}`)),
  };
}

/** The buffers of a stack, to be moved to another thread. */
export function stackBuffers(stack: Stack): ArrayBuffer[] {
  const of = (dense: Dense) => [dense.weight, dense.bias];
  const arrays = [stack.positionTable, stack.kindTable, ...of(stack.norm)];
  for (const l of stack.layers) {
    for (const dense of [l.query, l.key, l.value, l.attended, l.attentionNorm, l.up, l.down, l.norm]) {
      arrays.push(...of(dense));
    }
  }
  return arrays.map((array) => array.buffer as ArrayBuffer);
}

function tensor(weights: Weights, name: string, shape: readonly number[]): Float32Array {
  const found = weights[name];
  if (!found) throw missing(name);
  if (found.shape.length !== shape.length || found.shape.some((size, i) => size !== shape[i])) {
    throw new ClaraError("weights", `createEncoder: ${name} must be [${shape}], got [${found.shape}]`);
  }
  return found.data;
}

function table(weights: Weights, name: string): { rows: number; columns: number; data: Float32Array } {
  const found = weights[name];
  if (!found) throw missing(name);
  const [rows, columns] = found.shape;
  if (found.shape.length !== 2 || !rows || !columns || found.data.length !== rows * columns) {
    throw new ClaraError("weights", `createEncoder: ${name} must be a table [rows, width], got [${found.shape}]`);
  }
  return { rows, columns, data: found.data };
}

function missing(name: string): ClaraError {
  return new ClaraError(
    "weights",
    `createEncoder: needs a tensor ${name}, which is not in the weights; check the prefix`,
  );
}
