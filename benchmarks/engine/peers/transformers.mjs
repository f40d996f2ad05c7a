// Transformers.js' side of the engine benchmarks: one JSON command a line on stdin, one JSON answer a line on stdout.
//   { do: "load", threads: N, model?: FOLDER }           pipeline on the CPU in float32, N threads in ONNX Runtime
//   { do: "embed", texts, batch: 32, full?: true }       mean over the tokens, length 1, in batches as they come
// `embed` answers with count, checksum (sum over all vectors of Σ (i % 7 + 1)·v[i]), first (8 numbers of the first
// vector) and last; with `full` also all vectors. As in pytorch.py every answer has ms, cpuMs, peakMb, anonMb, or `error`.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { basename, dirname, resolve } from "node:path";
import { createInterface } from "node:readline";

const installed = new URL("../.peers/", import.meta.url);
const { env, pipeline } = createRequire(installed)("@huggingface/transformers");
env.allowRemoteModels = false;
env.allowLocalModels = true;

let embed;

const work = {
  async load({ threads = 1, model = new URL("models/all-MiniLM-L6-v2", installed).pathname }) {
    env.localModelPath = dirname(resolve(model));
    await embed?.dispose();
    embed = await pipeline("feature-extraction", basename(model), {
      device: "cpu",
      dtype: "fp32",
      session_options: { intraOpNumThreads: threads, interOpNumThreads: 1 },
    });
    return { transformers: env.version };
  },
  async embed({ texts, batch = 32, full = false }) {
    const vectors = [];
    for (let i = 0; i < texts.length; i += batch) {
      const output = await embed(texts.slice(i, i + batch), { pooling: "mean", normalize: true });
      const [rows, width] = output.dims;
      for (let row = 0; row < rows; row++) vectors.push(output.data.slice(row * width, (row + 1) * width));
    }
    const checksum = vectors.reduce((sum, vector) => vector.reduce((s, v, i) => s + ((i % 7) + 1) * v, sum), 0);
    const first = (vector) => Array.from(vector.slice(0, 8));
    return {
      count: vectors.length,
      checksum,
      first: first(vectors[0]),
      last: first(vectors.at(-1)),
      ...(full ? { vectors: vectors.map((vector) => Array.from(vector)) } : {}),
    };
  },
};

for await (const line of createInterface({ input: process.stdin })) {
  let answer;
  try {
    const command = JSON.parse(line);
    if (command.do === "stop") break;
    const spent = process.cpuUsage();
    const started = performance.now();
    const result = await work[command.do](command);
    const ms = performance.now() - started;
    const { user, system } = process.cpuUsage(spent);
    answer = { ...result, ms, cpuMs: (user + system) / 1000, ...memory() };
  } catch (error) {
    answer = { error: String(error) }; // the harness decides; the process stays
  }
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}

function memory() {
  const status = readFileSync("/proc/self/status", "utf8");
  const mb = (name) => Number(new RegExp(`${name}:\\s+(\\d+)`).exec(status)[1]) / 1024;
  return { peakMb: mb("VmHWM"), anonMb: mb("RssAnon") };
}
