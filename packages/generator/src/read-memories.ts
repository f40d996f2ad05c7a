import { type BertLayer, encodeStates, type Linear, type Norm } from "@clara/model";
import { dims, gelu, layerNorm, tf } from "@clara/tensor";

// Letters: B passages, U question tokens, M memory tokens, T text tokens, D model width, d memory width, F pointer width.

/** A reader of memories: its layers see the question's states and memory tokens, never the text. */
export type MemoryReaderParams = {
  /** [d, D] and [D]: memory tokens to states. */
  up: Linear;
  /** [P, D]: what tells memory tokens apart by their place; P at least M. */
  positions: tf.Tensor2D;
  /** [1, D]: times the share of the question's words that a window holds. */
  overlap: tf.Tensor2D;
  norm: Norm;
  layers: BertLayer[];
  /** [D, 1] and [1]: logit of each window, and of none at the question's CLS. */
  window: Linear;
  pointer: {
    /** [D, 2F + 2] and [2F + 2]: what the answer's first and last token should look like, and how likely they are here. */
    wanted: Linear;
    /** [5D, F] and [F]: the static embeddings of a token and its four neighbours. */
    words: Linear;
    /** [5, F]: which of the five are in the question. */
    match: tf.Tensor2D;
    /** [D, 2] and [2]: start and end of no answer, at the question's CLS. */
    none: Linear;
  };
};

/** The memories of some passages, each with its question. */
export type MemoryBatch = {
  /** [B, U, D] the compressor's states of the question, CLS first */
  question: tf.Tensor3D;
  /** [B, U] 1 for tokens, 0 for padding */
  questionMask: tf.Tensor2D;
  /** [B, M, d] */
  memory: tf.Tensor3D;
  /** [B, M] */
  memoryMask: tf.Tensor2D;
  /** [B, M] share of the question's words in the window, 0–1, rare ones counting more */
  overlap: tf.Tensor2D;
};

/** The passages' text as a table of words: for pointing into it. */
export type PointerBatch = {
  /** [B, T, 5] int32: ids of each token and its neighbours, two before and two after */
  near: tf.Tensor3D;
  /** [B, T, 5] 1 where that token is in the question */
  match: tf.Tensor3D;
  /** [B, T] int32: the memory token that covers each text token */
  window: tf.Tensor2D;
};

/**
 * What the memories say to the question: a state for the question's CLS and for each memory token.
 *
 * @returns none [B, D] and states [B, M, D]
 * @throws ClaraError "shape" when sizes disagree.
 */
export function readMemories(
  { up, positions, overlap: share, norm, layers }: MemoryReaderParams,
  { question, questionMask, memory, memoryMask, overlap }: MemoryBatch,
  { heads, layerNormEps = 1e-12 }: { heads: number; layerNormEps?: number },
): { none: tf.Tensor2D; states: tf.Tensor3D } {
  const { B, U, D } = dims("readMemories: question", question, ["B", "U", "D"]);
  const { M, d } = dims("readMemories: memory", memory, [B, "M", "d"]);
  dims("readMemories: questionMask", questionMask, [B, U]);
  dims("readMemories: memoryMask", memoryMask, [B, M]);
  dims("readMemories: overlap", overlap, [B, M]);
  return tf.tidy(() => {
    const raised = tf.add(tf.matMul(tf.reshape(memory, [B * M, d]) as tf.Tensor2D, up.weight), up.bias);
    const placed = tf.add(tf.reshape(raised, [B, M, D]), tf.slice(positions, [0, 0], [M, D]));
    const known = tf.reshape(tf.matMul(tf.reshape(overlap, [B * M, 1]) as tf.Tensor2D, share), [B, M, D]);
    const all = tf.concat([question, tf.add(placed, known) as tf.Tensor3D], 1); // [B, U + M, D]
    const x = layerNorm(all as tf.Tensor3D, norm.gamma, norm.beta, layerNormEps);
    const mask = tf.concat([questionMask, memoryMask], 1) as tf.Tensor2D;
    const y = encodeStates(layers, x, mask, { heads, layerNormEps }); // [B, U + M, D]
    const none = tf.reshape(tf.slice(y, [0, 0, 0], [B, 1, D]), [B, D]) as tf.Tensor2D;
    return { none, states: tf.slice(y, [0, U, 0], [B, M, D]) as tf.Tensor3D };
  });
}

/** How likely the answer is in no window, and in each. @returns [B, 1 + M] logits */
export function windowLogits(
  { window }: MemoryReaderParams,
  { none, states }: { none: tf.Tensor2D; states: tf.Tensor3D },
): tf.Tensor2D {
  const { B, M, D } = dims("windowLogits: states", states, ["B", "M", "D"]);
  return tf.tidy(() => {
    const all = tf.concat([tf.reshape(none, [B, 1, D]), states], 1); // [B, 1 + M, D]
    const logits = tf.add(tf.matMul(tf.reshape(all, [B * (M + 1), D]) as tf.Tensor2D, window.weight), window.bias);
    return tf.reshape(logits, [B, M + 1]) as tf.Tensor2D;
  });
}

/**
 * Start and end of the answer among the text's tokens, from the memories' states: each token is compared, as a static
 * embedding beside those of its neighbours, with what its window's state asks for.
 *
 * @param words [V, D] the model's table of word embeddings
 * @returns [B, 1 + T, 2] logits; at 0 those of no answer
 */
export function pointerLogits(
  { pointer }: MemoryReaderParams,
  words: tf.Tensor2D,
  { none, states }: { none: tf.Tensor2D; states: tf.Tensor3D },
  { near, match, window }: PointerBatch,
): tf.Tensor3D {
  const { B, M, D } = dims("pointerLogits: states", states, ["B", "M", "D"]);
  const { T } = dims("pointerLogits: window", window, [B, "T"]);
  dims("pointerLogits: near", near, [B, T, 5]);
  dims("pointerLogits: match", match, [B, T, 5]);
  const F = pointer.words.bias.shape[0];
  return tf.tidy(() => {
    const wanted = tf.add(
      tf.matMul(tf.reshape(states, [B * M, D]) as tf.Tensor2D, pointer.wanted.weight),
      pointer.wanted.bias,
    );
    // Row t is 1 at the window of token t.
    const of = tf.equal(tf.reshape(window, [B, T, 1]), tf.range(0, M, 1, "int32")); // [B, T, M]
    const asked = tf.matMul(
      tf.cast(of, "float32") as tf.Tensor3D,
      tf.reshape(wanted, [B, M, 2 * F + 2]) as tf.Tensor3D,
    ); // [B, T, 2F + 2]
    const seen = tf.reshape(tf.gather(words, tf.reshape(near, [B * T * 5]) as tf.Tensor1D), [
      B * T,
      5 * D,
    ]) as tf.Tensor2D;
    const features = tf.add(
      tf.add(
        tf.matMul(seen, pointer.words.weight),
        tf.matMul(tf.reshape(match, [B * T, 5]) as tf.Tensor2D, pointer.match),
      ),
      pointer.words.bias,
    ); // [B*T, F]
    const looks = tf.reshape(gelu(tf.reshape(features, [B, T, F]) as tf.Tensor3D), [B, T, 1, F]);
    const ends = tf.reshape(tf.slice(asked, [0, 0, 0], [B, T, 2 * F]), [B, T, 2, F]);
    const fit = tf.mul(tf.sum(tf.mul(ends, looks), 3), 1 / Math.sqrt(F)); // [B, T, 2]
    const tokens = tf.add(fit, tf.slice(asked, [0, 0, 2 * F], [B, T, 2])); // [B, T, 2]
    const nothing = tf.add(tf.matMul(none, pointer.none.weight), pointer.none.bias);
    return tf.concat([tf.reshape(nothing, [B, 1, 2]), tokens], 1) as tf.Tensor3D;
  });
}
