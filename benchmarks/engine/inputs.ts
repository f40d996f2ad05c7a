import { type SafeTensor, writeSafetensors } from "../../packages/model/src/index.ts";
import { createRandom } from "../random.ts";

/** The model all of these benchmarks use: BERT's encoder in MiniLM's size, and LoRA updates of its four attention maps. */
export const shape = {
  layers: 6,
  width: 384,
  heads: 12,
  ffn: 1536,
  words: 30522,
  positions: 512,
  classes: 64,
  rank: 16,
  rows: 16,
  tokens: 256,
} as const;

/** Factor of the LoRA update. */
export const loraScale = 2;

/**
 * Random weights as a safetensors file, float32. Names and layouts are Hugging Face's BERT ([out, in]), then
 * `head.weight` [classes, width], `head.bias`, and `layer.N.{query,key,value,output}.lora.{a,b}`, [width, rank] and
 * [rank, width]. LoRA's b is not zero, so that every gradient is a number worth comparing.
 */
export function weightsFile(seed = 1): Uint8Array {
  const normal = createNormal(seed);
  const { layers, width, ffn, words, positions, classes, rank } = shape;
  const tensors: Record<string, SafeTensor> = {};
  const random = (name: string, dims: readonly number[], deviation = 0.05) => {
    tensors[name] = float(dims, () => deviation * normal());
  };
  const map = (name: string, out: number, inputs: number, deviation?: number) => {
    random(`${name}.weight`, [out, inputs], deviation);
    random(`${name}.bias`, [out], 0.02);
  };
  const norm = (name: string) => {
    tensors[`${name}.weight`] = float([width], () => 1 + 0.02 * normal());
    random(`${name}.bias`, [width], 0.02);
  };
  random("embeddings.word_embeddings.weight", [words, width]);
  random("embeddings.position_embeddings.weight", [positions, width]);
  random("embeddings.token_type_embeddings.weight", [2, width]);
  norm("embeddings.LayerNorm");
  for (let i = 0; i < layers; i++) {
    const layer = `encoder.layer.${i}`;
    for (const part of ["query", "key", "value"]) map(`${layer}.attention.self.${part}`, width, width);
    map(`${layer}.attention.output.dense`, width, width);
    norm(`${layer}.attention.output.LayerNorm`);
    map(`${layer}.intermediate.dense`, ffn, width);
    map(`${layer}.output.dense`, width, ffn);
    norm(`${layer}.output.LayerNorm`);
    for (const part of ["query", "key", "value", "output"]) {
      random(`layer.${i}.${part}.lora.a`, [width, rank]);
      random(`layer.${i}.${part}.lora.b`, [rank, width], 0.02);
    }
  }
  map("head", classes, width, 0.1);
  return writeSafetensors(tensors);
}

/**
 * One batch as a safetensors file: `ids` int32 [rows, tokens], `mask` float32 [rows, tokens], 1 where a token is,
 * `labels` int32 [rows]. Rows are 70 to 100 % full.
 */
export function batchFile(seed = 2): Uint8Array {
  const random = createRandom(seed);
  const { rows, tokens, words, classes } = shape;
  const ids = new Int32Array(rows * tokens);
  const mask = new Float32Array(rows * tokens);
  const labels = new Int32Array(rows);
  for (let row = 0; row < rows; row++) {
    labels[row] = Math.floor(random() * classes);
    const length = Math.round(tokens * (0.7 + 0.3 * random()));
    for (let i = row * tokens; i < row * tokens + length; i++) {
      ids[i] = Math.floor(random() * words);
      mask[i] = 1;
    }
  }
  return writeSafetensors({
    ids: { dtype: "I32", shape: [rows, tokens], bytes: new Uint8Array(ids.buffer) },
    mask: { dtype: "F32", shape: [rows, tokens], bytes: new Uint8Array(mask.buffer) },
    labels: { dtype: "I32", shape: [rows], bytes: new Uint8Array(labels.buffer) },
  });
}

/**
 * A batch as `recipes/mini-reader.ts` meets them: 32 rows of 40 to 250 tokens, longest first; `widths` says how long each is.
 * The rest as `batchFile`.
 */
export function recipeBatch(seed = 3): { readonly file: Uint8Array; readonly widths: readonly number[] } {
  const random = createRandom(seed);
  const { tokens, words, classes } = shape;
  const widths = Array.from({ length: 32 }, () => 40 + Math.floor(210 * random())).sort((a, b) => b - a);
  const ids = new Int32Array(widths.length * tokens);
  const mask = new Float32Array(widths.length * tokens);
  widths.forEach((width, row) => {
    for (let i = row * tokens; i < row * tokens + width; i++) ids[i] = Math.floor(random() * words);
    mask.fill(1, row * tokens, row * tokens + width);
  });
  const labels = Int32Array.from(widths, () => Math.floor(random() * classes));
  const file = writeSafetensors({
    ids: { dtype: "I32", shape: [widths.length, tokens], bytes: new Uint8Array(ids.buffer) },
    mask: { dtype: "F32", shape: [widths.length, tokens], bytes: new Uint8Array(mask.buffer) },
    labels: { dtype: "I32", shape: [widths.length], bytes: new Uint8Array(labels.buffer) },
  });
  return { file, widths };
}

// Words that are one token each in BERT's vocabulary.
const common =
  "the of and in to a was is for on as with by he at from it his an that were are which this also be had or has first one their its new after but who not they have her she two been other when there all during into school time may years more most only over city some world would where later up such used many can state about national out known university united then made".split(
    " ",
  );

/** `count` made-up passages of 10 to 250 words, evenly, in random order. */
export function passages(count = 1000, seed = 3): string[] {
  const random = createRandom(seed);
  return Array.from({ length: count }, () => {
    const words = 10 + Math.floor(random() * 241);
    return `${Array.from({ length: words }, () => common[Math.floor(random() * common.length)]!).join(" ")}.`;
  });
}

function float(dims: readonly number[], next: () => number): SafeTensor {
  const values = Float32Array.from({ length: dims.reduce((a, b) => a * b, 1) }, next);
  return { dtype: "F32", shape: dims, bytes: new Uint8Array(values.buffer) };
}

/** Standard normal numbers (Box and Muller's method). */
function createNormal(seed: number): () => number {
  const random = createRandom(seed);
  return () => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
}
