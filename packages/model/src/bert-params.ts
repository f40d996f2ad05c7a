import { ClaraError, type Weights } from "@clara/core";
import { tf } from "@clara/tensor";

// Letters: V vocabulary, P positions, D width, F feed-forward width.

/** weight [I, O] and bias [O] of `x·weight + bias`. */
export type Linear = { weight: tf.Tensor2D; bias: tf.Tensor1D };
/** gamma and beta [D] */
export type Norm = { gamma: tf.Tensor1D; beta: tf.Tensor1D };

export type BertEmbeddings = {
  /** [V, D] */
  words: tf.Tensor2D;
  /** [P, D] */
  positions: tf.Tensor2D;
  /** [2, D] */
  types: tf.Tensor2D;
  norm: Norm;
};

export type BertLayer = {
  /** All [D, D]. */
  attention: { query: Linear; key: Linear; value: Linear; output: Linear; norm: Norm };
  /** in [D, F], out [F, D] */
  feedForward: { in: Linear; out: Linear; norm: Norm };
};

export type BertParams = { embeddings: BertEmbeddings; layers: BertLayer[] };

export interface BertParamsOptions {
  /** Number of layers. */
  readonly layers: number;
  /** Layer i is read from `<prefix>.layer.<i>.…`. @default "encoder" */
  readonly prefix?: string;
  /** Used instead of the checkpoint's: how two stacks share one table. Disposing both is safe. */
  readonly embeddings?: BertEmbeddings;
}

/**
 * Takes a BERT encoder from a checkpoint with Hugging Face's names; the pooler and heads are left out. Linear weights are
 * stored [O, I] there and are turned to [I, O]. The tables share memory with `weights`.
 *
 * @returns tensors that the caller disposes, with `tf.dispose(params)`
 * @throws ClaraError "weights" when a tensor is missing or has another shape than the others ask for.
 */
export function bertParams(
  weights: Weights,
  { layers, prefix = "encoder", embeddings: shared }: BertParamsOptions,
): BertParams {
  // The tidy frees what was made when a later tensor is missing.
  return tf.tidy(() => {
    const embeddings = shared ?? readEmbeddings(weights);
    const D = embeddings.words.shape[1];
    return {
      embeddings,
      layers: Array.from({ length: layers }, (_, i) => readLayer(weights, `${prefix}.layer.${i}`, D)),
    };
  });
}

function readEmbeddings(weights: Weights): BertEmbeddings {
  const words = readTable(weights, "embeddings.word_embeddings.weight");
  const D = words.shape[1];
  return {
    words,
    positions: readTable(weights, "embeddings.position_embeddings.weight", D),
    types: readTable(weights, "embeddings.token_type_embeddings.weight", D),
    norm: readNorm(weights, "embeddings.LayerNorm", D),
  };
}

function readLayer(weights: Weights, name: string, D: number): BertLayer {
  const up = `${name}.intermediate.dense`;
  const F = find(weights, `${up}.weight`, [undefined, D]).shape[0]!;
  return {
    attention: {
      query: readLinear(weights, `${name}.attention.self.query`, D, D),
      key: readLinear(weights, `${name}.attention.self.key`, D, D),
      value: readLinear(weights, `${name}.attention.self.value`, D, D),
      output: readLinear(weights, `${name}.attention.output.dense`, D, D),
      norm: readNorm(weights, `${name}.attention.output.LayerNorm`, D),
    },
    feedForward: {
      in: readLinear(weights, up, D, F),
      out: readLinear(weights, `${name}.output.dense`, F, D),
      norm: readNorm(weights, `${name}.output.LayerNorm`, D),
    },
  };
}

function readTable(weights: Weights, name: string, D?: number): tf.Tensor2D {
  const { shape, data } = find(weights, name, [undefined, D]);
  return tf.tensor2d(data, shape as [number, number]);
}

function readNorm(weights: Weights, name: string, D: number): Norm {
  const gamma = tf.tensor1d(find(weights, `${name}.weight`, [D]).data);
  return { gamma, beta: tf.tensor1d(find(weights, `${name}.bias`, [D]).data) };
}

function readLinear(weights: Weights, name: string, I: number, O: number): Linear {
  const { data } = find(weights, `${name}.weight`, [O, I]);
  const turned = new Float32Array(data.length);
  for (let o = 0; o < O; o++) for (let i = 0; i < I; i++) turned[i * O + o] = data[o * I + i]!;
  return {
    weight: tf.tensor2d(turned, [I, O]),
    bias: tf.tensor1d(find(weights, `${name}.bias`, [O]).data),
  };
}

/** The tensor of that name; a size that is undefined may be any. */
function find(weights: Weights, name: string, sizes: readonly (number | undefined)[]): Weights[string] {
  const found = Object.hasOwn(weights, name) ? weights[name] : undefined;
  if (!found) {
    throw new ClaraError("weights", `bertParams: the checkpoint has no tensor "${name}"; check prefix and layers`);
  }
  const { shape } = found;
  if (shape.length !== sizes.length || sizes.some((size, i) => size !== undefined && size !== shape[i])) {
    const needed = sizes.map((size) => size ?? "any").join(", ");
    throw new ClaraError("weights", `bertParams: "${name}" must be [${needed}], got [${shape.join(", ")}]`);
  }
  return found;
}
