import type { Lora, tf } from "@clara/tensor";

// Letters: V vocabulary, D width, H heads, G heads of keys and values, K head width, F feed-forward width.

/** A weight of 4 or 8 bits an entry, as `quantizeNBits` makes it. Bits and block size follow from the shapes. Constant. */
export type PackedWeight = {
  /** [O, I·bits/32] int32 */
  packed: tf.Tensor2D;
  /** [O, I/blockSize] */
  scales: tf.Tensor2D;
};

/** `x·weight`, plus a bias where the model has one. The weight is whole or packed. */
export type DecoderLinear = {
  /** [O] */
  bias?: tf.Tensor1D;
} & (
  | {
      /** [I, O] */
      weight: tf.Tensor2D;
      packed?: undefined;
      scales?: undefined;
    }
  | ({ weight?: undefined } & PackedWeight)
);

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
  /** [V, D], whole or packed; the words when left out. */
  head?: tf.Tensor2D | PackedWeight;
};

/** LoRA updates by the path of the linear map they change, such as `layers.0.attention.query`. */
export type DecoderAdapter = Readonly<Record<string, Lora>>;

/**
 * Parameters by path as the nested object that `decode` takes. A map has `layers.0.attention.query.weight`, or `….packed` and
 * `….scales`; the head is `head`, or `head.packed` and `head.scales`.
 */
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
