import type { Lora, tf } from "@clara/tensor";

// Letters: V vocabulary, D width, H heads, G heads of keys and values, K head width, F feed-forward width.

/** `x·weight`, plus a bias where the model has one. */
export type DecoderLinear = {
  /** [I, O] */
  weight: tf.Tensor2D;
  /** [O] */
  bias?: tf.Tensor1D;
};

export type DecoderLayer = {
  attention: {
    /** [D] */
    norm: tf.Tensor1D;
    /** [D, H·K] */
    query: DecoderLinear;
    /** [D, G·K] */
    key: DecoderLinear;
    /** [D, G·K] */
    value: DecoderLinear;
    /** [H·K, D] */
    output: DecoderLinear;
    /** [K] */
    queryNorm?: tf.Tensor1D;
    /** [K] */
    keyNorm?: tf.Tensor1D;
  };
  /** norm [D], gate and up [D, F], down [F, D] */
  feedForward: { norm: tf.Tensor1D; gate: DecoderLinear; up: DecoderLinear; down: DecoderLinear };
};

export type DecoderParams = {
  /** [V, D] */
  words: tf.Tensor2D;
  layers: DecoderLayer[];
  /** [D] */
  norm: tf.Tensor1D;
  /** [V, D]; the words when left out. */
  head?: tf.Tensor2D;
};

/** LoRA updates by the path of the linear map they change, such as `layers.0.attention.query`. */
export type DecoderAdapter = Readonly<Record<string, Lora>>;

/** Parameters by path (`layers.0.attention.query.weight`) as the nested object that `decode` takes. */
export function nestDecoder(tensors: Readonly<Record<string, tf.Tensor>>): DecoderParams {
  type Tree = { [key: string]: Tree | tf.Tensor };
  const root = { layers: [] as unknown as Tree } as Tree;
  for (const [path, tensor] of Object.entries(tensors)) {
    const keys = path.split(".");
    const last = keys.pop()!;
    let at = root;
    // "layers" is there already, as a list: its keys are numbers.
    for (const key of keys) {
      at[key] ??= {};
      at = at[key] as Tree;
    }
    at[last] = tensor;
  }
  return root as unknown as DecoderParams;
}

/**
 * An adapter from its matrices by path, `layers.0.attention.query.a` and `….b`.
 *
 * @param scale alpha / R
 * @param prefix what the names begin with; others are passed over. @default ""
 */
export function nestAdapter(tensors: Readonly<Record<string, tf.Tensor>>, scale: number, prefix = ""): DecoderAdapter {
  const paths = Object.keys(tensors).filter((name) => name.startsWith(prefix) && name.endsWith(".a"));
  return Object.fromEntries(
    paths.map((name) => {
      const path = name.slice(prefix.length, -".a".length);
      const [a, b] = [tensors[name], tensors[`${prefix}${path}.b`]] as [tf.Tensor2D, tf.Tensor2D];
      return [path, { a, b, scale }];
    }),
  );
}
