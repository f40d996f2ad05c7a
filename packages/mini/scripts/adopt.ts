// Makes a trained model folder the embedded model: data/ and src/identity.ts. By hand:
//   node --conditions=@clara/source packages/mini/scripts/adopt.ts FOLDER
// Calibrate afterwards: apps/rag-master/scripts/calibrate.ts.
import { createHash } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";

const version = "0.3";
const most = 45_000_000;
const [folder] = process.argv.slice(2);
if (folder === undefined) {
  console.error("usage: adopt.ts FOLDER (a model folder, as `train` writes it)");
  process.exit(2);
}

interface FileEntry {
  readonly name: string;
  readonly sha256: string;
}

const {
  id: from,
  files,
  calibration: _,
  ...config
} = JSON.parse(readFileSync(`${folder}/config.json`, "utf8")) as {
  id: string;
  files: { weights: FileEntry; tokenizer: FileEntry };
  calibration?: unknown;
} & Record<string, unknown>;

function read({ name, sha256 }: FileEntry): Uint8Array {
  const bytes = readFileSync(`${folder}/${name}`);
  if (createHash("sha256").update(bytes).digest("hex") !== sha256) throw new Error(`${folder}/${name} is damaged`);
  return bytes;
}

const [weights, tokenizer] = [read(files.weights), read(files.tokenizer)];
if (weights.length + tokenizer.length > most)
  throw new Error(`${weights.length + tokenizer.length} bytes: the repository takes ${most}`);
const id = `clara-mini-${version}+${files.weights.sha256.slice(0, 12)}`;
const described = {
  weights: { name: "mini.safetensors", sha256: files.weights.sha256, bytes: weights.length },
  tokenizer: { name: "tokenizer.json", sha256: files.tokenizer.sha256, bytes: tokenizer.length },
};

const data = new URL("../data/", import.meta.url);
writeFileSync(new URL("mini.safetensors", data), weights);
writeFileSync(new URL("tokenizer.json", data), tokenizer);
writeFileSync(new URL("config.json", data), `${JSON.stringify({ id, ...config, files: described }, null, 2)}\n`);

// Constants instead of an import of JSON, which every bundler treats differently.
const identity = `// Written by scripts/adopt.ts together with data/; do not edit.
export const id = "${id}";

export const config = {
${Object.entries(config)
  .map(([name, value]) => `  ${name}: ${JSON.stringify(value)},`)
  .join("\n")}
} as const;

export const sha256 = {
  weights: "${files.weights.sha256}",
  tokenizer: "${files.tokenizer.sha256}",
} as const;

export const bytes = { weights: ${weights.length}, tokenizer: ${tokenizer.length} } as const;
`;
writeFileSync(new URL("../src/identity.ts", import.meta.url), identity);
console.error(`${id}, from ${from}: ${weights.length + tokenizer.length} bytes`);
