// Makes the folder that the embedded model's training starts from, out of checkpoints in float16 or float32:
//   node --conditions=@clara/source packages/mini/scripts/start.ts --backbone DIR [--reader DIR] --out FOLDER
// Without --reader, the reader starts from the backbone's layers and a span head of zeros.
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
// By file, so that the script needs neither a build nor the whole of @clara/model.
import { toFloat32 } from "../../model/src/float32.ts";
import { quantizeRows } from "../../model/src/quantize.ts";
import { readSafetensors, type SafeTensor, writeSafetensors } from "../../model/src/safetensors.ts";

const text = { type: "string" } as const;
const { values: folders } = parseArgs({ options: { backbone: text, reader: text, out: text } });
const { backbone, reader, out } = folders;
if (!backbone || !out) {
  console.error("usage: start.ts --backbone DIR [--reader DIR] --out FOLDER (DIR has a model.safetensors)");
  process.exit(2);
}

const tensors: Record<string, SafeTensor> = {};

function asBytes(data: Int8Array | Float32Array): Uint8Array {
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
}

/** Large matrices become int8; vectors and the small position and type tables stay as they are, the span head is float32. */
function add(name: string, tensor: SafeTensor): void {
  const [rows] = tensor.shape;
  if (name.startsWith("reader.span.")) {
    tensors[name] = { dtype: "F32", shape: tensor.shape, bytes: asBytes(toFloat32(tensor)) };
  } else if (tensor.shape.length === 2 && !/position|token_type/.test(name)) {
    const { values, scales } = quantizeRows(toFloat32(tensor), tensor.shape);
    tensors[name] = { dtype: "I8", shape: tensor.shape, bytes: asBytes(values) };
    tensors[`${name}.scale`] = { dtype: "F32", shape: [rows!], bytes: asBytes(scales) };
  } else {
    tensors[name] = tensor;
  }
}

function layersOf(folder: string): [string, SafeTensor][] {
  return Object.entries(readSafetensors(readFileSync(`${folder}/model.safetensors`)).tensors);
}

for (const [name, tensor] of layersOf(backbone)) {
  if (name.startsWith("embeddings.")) add(name, tensor);
  else if (name.startsWith("encoder.layer.")) add(name.replace("encoder.", "compressor."), tensor);
  else if (!name.startsWith("pooler.")) throw new Error(`backbone: unexpected tensor ${name}`);
}
for (const [name, tensor] of layersOf(reader ?? backbone)) {
  if (name.startsWith("encoder.layer.")) add(name.replace("encoder.", "reader."), tensor);
  else if (reader && name.startsWith("span.")) add(`reader.${name}`, tensor);
  else if (reader) throw new Error(`reader: unexpected tensor ${name}`);
}
const source = JSON.parse(readFileSync(`${backbone}/config.json`, "utf8")) as Record<string, number>;
if (!reader) {
  const zeros = (...shape: number[]): SafeTensor => {
    const count = shape.reduce((a, b) => a * b, 1);
    return { dtype: "F32", shape, bytes: asBytes(new Float32Array(count)) };
  };
  add("reader.span.weight", zeros(2, source.hidden_size!));
  add("reader.span.bias", zeros(2));
}

const weights = writeSafetensors(tensors, { model: "start", quantization: "int8, one scale per row" });
const tokenizer = readFileSync(`${backbone}/tokenizer.json`);

function describe(name: string, bytes: Uint8Array): { name: string; sha256: string; bytes: number } {
  return { name, sha256: createHash("sha256").update(bytes).digest("hex"), bytes: bytes.length };
}

const files = { weights: describe("start.safetensors", weights), tokenizer: describe("tokenizer.json", tokenizer) };
const config = {
  id: `start+${files.weights.sha256.slice(0, 12)}`,
  width: source.hidden_size,
  layers: source.num_hidden_layers,
  heads: source.num_attention_heads,
  feedForward: source.intermediate_size,
  vocabulary: source.vocab_size,
  positions: source.max_position_embeddings,
  layerNormEps: source.layer_norm_eps,
  files,
};
mkdirSync(out, { recursive: true });
writeFileSync(`${out}/start.safetensors`, weights);
writeFileSync(`${out}/tokenizer.json`, tokenizer);
writeFileSync(`${out}/config.json`, `${JSON.stringify(config, null, 2)}\n`);
console.error(`${config.id}: ${Object.keys(tensors).length} tensors, ${weights.length + tokenizer.length} bytes`);
