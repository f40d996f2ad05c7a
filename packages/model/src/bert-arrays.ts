import { ClaraError, type Weights } from "@clara/core";

// Letters: V vocabulary, P positions, S sentence types, D width, F feed-forward width; I and O of linear maps.

/** Where a parameter comes from: our path, the checkpoint's name, and the sizes it has there. */
interface Entry {
  readonly path: string;
  readonly name: string;
  readonly sizes: readonly string[];
  /** Stored [O, I] and wanted [I, O]. */
  readonly turned?: boolean;
}

const norm = (path: string, name: string): Entry[] => [
  { path: `${path}.gamma`, name: `${name}.weight`, sizes: ["D"] },
  { path: `${path}.beta`, name: `${name}.bias`, sizes: ["D"] },
];
const linear = (path: string, name: string, I: string, O: string): Entry[] => [
  { path: `${path}.weight`, name: `${name}.weight`, sizes: [O, I], turned: true },
  { path: `${path}.bias`, name: `${name}.bias`, sizes: [O] },
];

/** Our names and Hugging Face's, below `embeddings`. */
const embeddingTable: readonly Entry[] = [
  { path: "words", name: "word_embeddings.weight", sizes: ["V", "D"] },
  { path: "positions", name: "position_embeddings.weight", sizes: ["P", "D"] },
  { path: "types", name: "token_type_embeddings.weight", sizes: ["S", "D"] },
  ...norm("norm", "LayerNorm"),
];

/** Our names and Hugging Face's, below one layer. */
const layerTable: readonly Entry[] = [
  ...linear("attention.query", "attention.self.query", "D", "D"),
  ...linear("attention.key", "attention.self.key", "D", "D"),
  ...linear("attention.value", "attention.self.value", "D", "D"),
  ...linear("attention.output", "attention.output.dense", "D", "D"),
  ...norm("attention.norm", "attention.output.LayerNorm"),
  ...linear("feedForward.in", "intermediate.dense", "D", "F"),
  ...linear("feedForward.out", "output.dense", "F", "D"),
  ...norm("feedForward.norm", "output.LayerNorm"),
];

/**
 * The embeddings of a BERT encoder by our paths (`embeddings.words`, `embeddings.norm.gamma`), from a checkpoint with
 * Hugging Face's names. The arrays are those of `weights`.
 *
 * @param where the function named in errors.
 * @throws ClaraError "weights" when a tensor is missing or has another shape than the others ask for.
 */
export function bertEmbeddingArrays(weights: Weights, where = "bertEmbeddingArrays"): Weights {
  return take(weights, embeddingTable, { from: "embeddings", to: "embeddings", where, sizes: {} });
}

/**
 * The layers of a BERT encoder by our paths (`layers.0.attention.query.weight`), linear weights turned to [I, O]. The
 * arrays are new.
 *
 * @param options.width `D`, as the embeddings have it.
 * @param options.prefix layer i is read from `<prefix>.layer.<i>.…`.
 * @throws ClaraError "weights" when a tensor is missing or has another shape than the others ask for.
 */
export function bertLayerArrays(
  weights: Weights,
  { layers, width, prefix = "encoder" }: { readonly layers: number; readonly width: number; readonly prefix?: string },
  where = "bertLayerArrays",
): Weights {
  const parts = Array.from({ length: layers }, (_, i) =>
    take(weights, layerTable, {
      from: `${prefix}.layer.${i}`,
      to: `layers.${i}`,
      where,
      sizes: { D: width },
      copy: true,
    }),
  );
  return Object.assign({}, ...parts);
}

/**
 * The way back: layers by our paths as a checkpoint has them, `<prefix>.layer.<i>.…`, linear weights turned to [O, I]. Other
 * tensors are left out. The arrays are new.
 */
export function bertLayerWeights(arrays: Weights, { prefix = "encoder" }: { readonly prefix?: string } = {}): Weights {
  const weights: [string, Weights[string]][] = [];
  for (const [path, { data, shape }] of Object.entries(arrays)) {
    const [, layer, rest] = /^layers\.(\d+)\.(.+)$/.exec(path) ?? [];
    const entry = layerTable.find((candidate) => candidate.path === rest);
    if (entry === undefined) continue;
    const [I = 0, O = 0] = shape;
    weights.push([
      `${prefix}.layer.${layer}.${entry.name}`,
      entry.turned ? { shape: [O, I], data: turn(data, I, O) } : { shape, data: data.slice() },
    ]);
  }
  return Object.fromEntries(weights);
}

function take(
  weights: Weights,
  table: readonly Entry[],
  options: { from: string; to: string; where: string; sizes: Record<string, number>; copy?: boolean },
): Weights {
  const { from, to, where, sizes, copy = false } = options;
  return Object.fromEntries(
    table.map(({ path, name, sizes: letters, turned }) => {
      const { shape, data } = find(weights, `${from}.${name}`, letters, sizes, where);
      const [O = 0, I = 0] = shape;
      return [
        `${to}.${path}`,
        turned ? { shape: [I, O], data: turn(data, O, I) } : { shape, data: copy ? data.slice() : data },
      ];
    }),
  );
}

/** The tensor of that name; a letter stands for one size, whatever it is at its first use. */
function find(
  weights: Weights,
  name: string,
  letters: readonly string[],
  sizes: Record<string, number>,
  where: string,
): Weights[string] {
  const found = Object.hasOwn(weights, name) ? weights[name] : undefined;
  if (!found) {
    throw new ClaraError("weights", `${where}: the checkpoint has no tensor "${name}"; check prefix and layers`);
  }
  const { shape, data } = found;
  const fits =
    shape.length === letters.length && letters.every((letter, i) => (sizes[letter] ?? shape[i]) === shape[i]);
  if (!fits || shape.reduce((a, b) => a * b, 1) !== data.length) {
    const needed = letters.map((letter) => sizes[letter] ?? "any").join(", ");
    const numbers = fits ? ` with ${data.length} numbers` : "";
    throw new ClaraError("weights", `${where}: "${name}" must be [${needed}], got [${shape.join(", ")}]${numbers}`);
  }
  letters.forEach((letter, i) => {
    sizes[letter] = shape[i]!;
  });
  return found;
}

/** Rows become columns. @param weight [O, I] @returns [I, O] */
function turn(weight: Float32Array, O: number, I: number): Float32Array {
  const turned = new Float32Array(weight.length);
  for (let o = 0; o < O; o++) for (let i = 0; i < I; i++) turned[i * O + o] = weight[o * I + i]!;
  return turned;
}
