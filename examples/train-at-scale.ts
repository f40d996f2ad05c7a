import {
  readRecords,
  readReferenceCheckpoint,
  referenceRecords,
  referenceRun,
  writeReferenceCheckpoint,
} from "@clara/train";

// 1. Records, as `synthesize --format clara` writes them. Real ones are some hundred thousand.
const record = (name: string, made: string): string =>
  JSON.stringify({
    data_type: "qa",
    question: [`What does ${name} make?`],
    answers: [made],
    docs: [`${name} makes ${made}.`],
  });
const lines = [record("Juniper Mills", "paper"), record("Tessel Forge", "<s>bells</s>"), '{"docs": []}'];
const { records, skipped } = await readRecords(lines, { stage: "compression", onBad: "skip" });
for (const { line, problem } of skipped) console.log(`left out: line ${line} ${problem}`);

// 2. Files that the reference's trainer can load, and how to start it on a machine with GPUs.
const { datasets, changed } = referenceRecords("compression", records);
for (const { line, problem } of changed) console.log(`changed: line ${line} ${problem}`);
for (const { name, records, lines } of datasets) {
  console.log(`${name}:`);
  for (const line of lines()) process.stdout.write(line);
  const { command, steps, notes } = referenceRun({
    stage: "compression",
    dataset: [`/data/${name}`],
    records,
    base: "/models/Mistral-7B-Instruct-v0.2",
    output: "/out/compression",
    batch: 2,
    microBatch: 1,
    gpus: 1,
  });
  console.log(`\n${command}\n\n${steps} step of the optimizer; ${notes.join("; ")}`);
}

// 3. What it saves is three files; here they are made from nothing, so small that rank and width are 1.
const matrix = (rows: number) => ({ shape: [rows, 1], data: new Float32Array(rows).fill(0.5) });
const files = writeReferenceCheckpoint(
  {
    config: { stage: "compression", documentTokens: 256, rate: 32, rank: 1, documents: 1 },
    adapters: { compressor: { "q_proj.lora_A.weight": matrix(1), "q_proj.lora_B.weight": matrix(1) } },
    tables: { "model.embed_tokens.weight": matrix(32_011), "lm_head.weight": matrix(32_011) },
  },
  { base: "/models/Mistral-7B-Instruct-v0.2", dtype: "BF16" },
);
const checkpoint = readReferenceCheckpoint(
  {
    config: JSON.parse(new TextDecoder().decode(files["config.json"])),
    adapters: files["adapters.pth"],
    tables: files["decoder_first_last_layers.pth"],
  },
  { vocabulary: 32_000 }, // of the base model: 8 memory tokens and 3 more are behind it
);
console.log(checkpoint.config, Object.keys(checkpoint.adapters));
