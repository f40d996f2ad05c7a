import { ClaraError, type Weights } from "@clara/core";
import type { DecoderConfig } from "./decoder-config.ts";

// Letters: V vocabulary, D width, Q = H·K of the queries, P = G·K of keys and values, F feed-forward width, R rank.

type Letter = "D" | "Q" | "P" | "F";

/** The linear maps of a layer: our path, Hugging Face's name, and what they map from and to. */
const maps: readonly (readonly [path: string, name: string, from: Letter, to: Letter])[] = [
  ["attention.query", "self_attn.q_proj", "D", "Q"],
  ["attention.key", "self_attn.k_proj", "D", "P"],
  ["attention.value", "self_attn.v_proj", "D", "P"],
  ["attention.output", "self_attn.o_proj", "Q", "D"],
  ["feedForward.gate", "mlp.gate_proj", "D", "F"],
  ["feedForward.up", "mlp.up_proj", "D", "F"],
  ["feedForward.down", "mlp.down_proj", "F", "D"],
];

/** Paths of the linear maps of a layer, which an adapter may change. */
export const decoderMapPaths: readonly string[] = maps.map(([path]) => path);

/** A tensor of a checkpoint: what it is called there, and by us. */
export interface NamedTensor {
  /** Ours, `layers.0.attention.query.weight`. */
  readonly path: string;
  /** Hugging Face's, or PEFT's. */
  readonly name: string;
  /** In the checkpoint. */
  readonly shape: readonly number[];
  /** A matrix [O, I] there that is [I, O] here. */
  readonly turned: boolean;
}

/**
 * All tensors of a decoder, the table of words first, then the head.
 *
 * @param rows of table and head, where tokens have been added. @default those of the vocabulary
 */
export function decoderTensors(config: DecoderConfig, rows: number = config.vocabulary): NamedTensor[] {
  const sizes = sizesOf(config);
  const { D, K } = { D: config.width, K: config.headWidth };
  const tensors: NamedTensor[] = [];
  const add = (path: string, name: string, ...shape: number[]): void =>
    void tensors.push({ path, name, shape, turned: false });
  add("words", "model.embed_tokens.weight", rows, D);
  if (!config.tiedHead) add("head", "lm_head.weight", rows, D);
  add("norm", "model.norm.weight", D);
  for (let i = 0; i < config.layers; i++) {
    const own = (path: string, name: string, size: number): void =>
      add(`layers.${i}.${path}`, `model.layers.${i}.${name}`, size);
    own("attention.norm", "input_layernorm.weight", D);
    for (const [path, name, from, to] of maps) {
      const [ours, theirs] = [`layers.${i}.${path}`, `model.layers.${i}.${name}`];
      tensors.push({
        path: `${ours}.weight`,
        name: `${theirs}.weight`,
        shape: [sizes[to], sizes[from]],
        turned: true,
      });
      if (config.biases && /query|key|value/.test(path)) own(`${path}.bias`, `${name}.bias`, sizes[to]);
    }
    own("feedForward.norm", "post_attention_layernorm.weight", D);
    if (config.headNorms) own("attention.queryNorm", "self_attn.q_norm.weight", K);
    if (config.headNorms) own("attention.keyNorm", "self_attn.k_norm.weight", K);
  }
  return tensors;
}

/** All matrices of an adapter of rank R: our paths end in `.a` and `.b`. */
export function adapterTensors(config: DecoderConfig, rank: number): NamedTensor[] {
  const sizes = sizesOf(config);
  return everyMap(config).flatMap(({ path, name, from, to }) => [
    { path: `${path}.a`, name: `${name}.lora_A.weight`, shape: [rank, sizes[from]], turned: true },
    { path: `${path}.b`, name: `${name}.lora_B.weight`, shape: [sizes[to], rank], turned: true },
  ]);
}

/**
 * A decoder's parameters by our paths (`layers.0.attention.query.weight`), from a checkpoint with Hugging Face's names.
 * Linear weights are stored [O, I] there and come back turned, [I, O]. The table and the head may have more rows than
 * `config.vocabulary`: those of added tokens. The arrays are new, but for the table, the head and the norms.
 *
 * @throws ClaraError "weights" when a tensor is missing or has another shape than the config asks for.
 */
export function decoderArrays(weights: Weights, config: DecoderConfig): Weights {
  const words = find("decoderArrays", weights, "model.embed_tokens.weight", [null, config.width]);
  const [V = 0] = words.shape;
  if (V < config.vocabulary) {
    throw new ClaraError(
      "weights",
      `decoderArrays: the table has ${V} rows, and the vocabulary ${config.vocabulary}; is config.json the model's?`,
    );
  }
  return arraysOf("decoderArrays", weights, decoderTensors(config, V));
}

/**
 * An adapter's matrices by our paths, `layers.0.attention.query.a` [I, R] and `….b` [R, O], from the names that PEFT gives
 * them: `model.layers.0.self_attn.q_proj.lora_A.weight` [R, I] and `….lora_B.weight` [O, R]. Every linear map of every
 * layer must have one. Tensors of other names (the reference stores copies of the embeddings there) are passed over.
 *
 * @throws ClaraError "weights" when a matrix is missing or has another shape than the config asks for.
 */
export function adapterArrays(weights: Weights, config: DecoderConfig): Weights {
  const [first] = everyMap(config);
  const { shape } = find("adapterArrays", weights, `${first!.name}.lora_A.weight`, [
    null,
    sizesOf(config)[first!.from],
  ]);
  return arraysOf("adapterArrays", weights, adapterTensors(config, shape[0]!));
}

function arraysOf(where: string, weights: Weights, tensors: readonly NamedTensor[]): Weights {
  return Object.fromEntries(
    tensors.map(({ path, name, shape, turned }) => {
      const found = find(where, weights, name, shape);
      return [path, turned ? turn(found) : found];
    }),
  );
}

/** The opposite of `adapterArrays`: PEFT's names and shapes. @throws ClaraError "weights" when a matrix is missing. */
export function adapterWeights(arrays: Weights, config: DecoderConfig): Weights {
  const sizes = sizesOf(config);
  const weights: Record<string, Weights[string]> = {};
  for (const { path, name, from, to } of everyMap(config)) {
    weights[`${name}.lora_A.weight`] = turn(find("adapterWeights", arrays, `${path}.a`, [sizes[from], null]));
    weights[`${name}.lora_B.weight`] = turn(find("adapterWeights", arrays, `${path}.b`, [null, sizes[to]]));
  }
  return weights;
}

function everyMap({ layers }: DecoderConfig): { path: string; name: string; from: Letter; to: Letter }[] {
  return Array.from({ length: layers }, (_, i) =>
    maps.map(([path, name, from, to]) => ({
      path: `layers.${i}.${path}`,
      name: `model.layers.${i}.${name}`,
      from,
      to,
    })),
  ).flat();
}

function sizesOf({ width, heads, keyHeads, headWidth, feedForward }: DecoderConfig): Record<Letter, number> {
  return { D: width, Q: heads * headWidth, P: keyHeads * headWidth, F: feedForward };
}

/** The tensor of that name and shape; null is any size. */
function find(where: string, weights: Weights, name: string, shape: readonly (number | null)[]): Weights[string] {
  const found = Object.hasOwn(weights, name) ? weights[name] : undefined;
  if (!found) throw new ClaraError("weights", `${where}: there is no tensor "${name}"; is config.json the model's?`);
  const fits =
    found.shape.length === shape.length && shape.every((size, i) => size === null || size === found.shape[i]);
  if (fits && found.shape.reduce((a, b) => a * b, 1) === found.data.length) return found;
  const needed = shape.map((size) => size ?? "any").join(", ");
  const numbers = fits ? ` with ${found.data.length} numbers` : "";
  throw new ClaraError("weights", `${where}: "${name}" must be [${needed}], got [${found.shape.join(", ")}]${numbers}`);
}

/** [O, I] to [I, O]. */
function turn({ shape, data }: Weights[string]): Weights[string] {
  const [O, I] = shape as [number, number];
  const turned = new Float32Array(data.length);
  for (let o = 0; o < O; o++) for (let i = 0; i < I; i++) turned[i * O + o] = data[o * I + i]!;
  return { shape: [I, O], data: turned };
}
