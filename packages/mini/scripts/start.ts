// Makes data/ from the float16 checkpoints, by hand:
//   node --conditions=@clara/source packages/mini/scripts/quantize.ts --backbone DIR --reader DIR
import { createHash } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
// By file, so that the script needs neither a build nor the whole of @clara/model.
import { toFloat32 } from "../../model/src/float32.ts";
import { quantizeRows } from "../../model/src/quantize.ts";
import { readSafetensors, type SafeTensor, writeSafetensors } from "../../model/src/safetensors.ts";

const version = "0.1";
const { values: folders } = parseArgs({ options: { backbone: { type: "string" }, reader: { type: "string" } } });
if (!folders.backbone || !folders.reader) {
  console.error("usage: quantize.ts --backbone DIR --reader DIR (each with a model.safetensors)");
  process.exit(2);
}

const out: Record<string, SafeTensor> = {};

function asBytes(data: Int8Array | Float32Array): Uint8Array {
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
}

/** Large matrices become int8; vectors and the small position and type tables stay float16, the span head is float32. */
function add(name: string, tensor: SafeTensor): void {
  const [rows] = tensor.shape;
  if (name.startsWith("reader.span.")) {
    out[name] = { dtype: "F32", shape: tensor.shape, bytes: asBytes(toFloat32(tensor)) };
  } else if (tensor.shape.length === 2 && !/position|token_type/.test(name)) {
    const { values, scales } = quantizeRows(toFloat32(tensor), tensor.shape);
    out[name] = { dtype: "I8", shape: tensor.shape, bytes: asBytes(values) };
    out[`${name}.scale`] = { dtype: "F32", shape: [rows!], bytes: asBytes(scales) };
  } else {
    out[name] = tensor;
  }
}

function read(folder: string, file: string): Uint8Array {
  return readFileSync(`${folder}/${file}`);
}

for (const [name, tensor] of Object.entries(readSafetensors(read(folders.backbone, "model.safetensors")).tensors)) {
  if (name.startsWith("embeddings.")) add(name, tensor);
  else if (name.startsWith("encoder.layer.")) add(name.replace("encoder.", "compressor."), tensor);
  else if (!name.startsWith("pooler.")) throw new Error(`backbone: unexpected tensor ${name}`);
}
for (const [name, tensor] of Object.entries(readSafetensors(read(folders.reader, "model.safetensors")).tensors)) {
  if (name.startsWith("encoder.layer.")) add(name.replace("encoder.", "reader."), tensor);
  else if (name.startsWith("span.")) add(`reader.${name}`, tensor);
  else throw new Error(`reader: unexpected tensor ${name}`);
}

const weights = writeSafetensors(out, { model: "clara-mini", version, quantization: "int8, one scale per row" });
const tokenizer = read(folders.backbone, "tokenizer.json");
const source = JSON.parse(read(folders.backbone, "config.json").toString()) as Record<string, number>;

function describe(name: string, bytes: Uint8Array): { name: string; sha256: string; bytes: number } {
  return { name, sha256: createHash("sha256").update(bytes).digest("hex"), bytes: bytes.length };
}

const files = { weights: describe("mini.safetensors", weights), tokenizer: describe("tokenizer.json", tokenizer) };
const id = `clara-mini-${version}+${files.weights.sha256.slice(0, 12)}`;
const config = {
  width: source.hidden_size,
  layers: source.num_hidden_layers,
  heads: source.num_attention_heads,
  feedForward: source.intermediate_size,
  vocabulary: source.vocab_size,
  positions: source.max_position_embeddings,
  layerNormEps: source.layer_norm_eps,
};

const folder = new URL("../data/", import.meta.url);
writeFileSync(new URL("mini.safetensors", folder), weights);
writeFileSync(new URL("tokenizer.json", folder), tokenizer);
writeFileSync(new URL("config.json", folder), `${JSON.stringify({ id, ...config, files }, null, 2)}\n`);

// Constants instead of an import of JSON, which every bundler treats differently.
const identity = `// Written by scripts/quantize.ts together with data/; do not edit.
export const id = "${id}";

export const config = {
${Object.entries(config)
  .map(([name, value]) => `  ${name}: ${value},`)
  .join("\n")}
} as const;

export const sha256 = {
  weights: "${files.weights.sha256}",
  tokenizer: "${files.tokenizer.sha256}",
} as const;

export const bytes = { weights: ${files.weights.bytes}, tokenizer: ${files.tokenizer.bytes} } as const;
`;
writeFileSync(new URL("../src/identity.ts", import.meta.url), identity);
console.error(`${id}: ${Object.keys(out).length} tensors, ${weights.length + tokenizer.length} bytes`);
