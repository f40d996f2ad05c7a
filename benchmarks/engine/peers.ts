// The peers of the engine benchmarks by themselves, every way they can be asked, to see which is the fastest. By hand, on
// an idle machine, after `bash benchmarks/engine/peers/setup.sh`:
//   node --conditions=@clara/source benchmarks/engine/peers.ts            some ten minutes; writes peers.json
//   node --conditions=@clara/source benchmarks/engine/peers.ts --small    one round of each; writes nothing
//   … peers.ts --only=threads2.embedding,threads1.forward                 these again, into the file's others; it says so
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  type Answer,
  alternate,
  type Figures,
  figures,
  type Peer,
  startPyTorch,
  startTransformers,
  writeResults,
} from "./harness.ts";
import { batchFile, passages, weightsFile } from "./inputs.ts";

const small = process.argv.includes("--small");
const rounds = small ? 1 : 5;
const folder = mkdtempSync(join(tmpdir(), "clara-peers-"));
const files = { weights: join(folder, "weights.safetensors"), batch: join(folder, "batch.safetensors") };
writeFileSync(files.weights, weightsFile());
writeFileSync(files.batch, batchFile());

type Command = Readonly<Record<string, unknown>>;

/** One process for each command: a step changes the weights, and another's optimizer would start from them. */
async function pyTorch(threads: number, commands: Readonly<Record<string, Command>>): Promise<Record<string, Figures>> {
  const peers: Peer[] = [];
  const sides: Record<string, () => Promise<Answer>> = {};
  for (const [name, command] of Object.entries(commands)) {
    const peer = startPyTorch();
    peers.push(peer);
    await peer.ask({ do: "load", ...files, threads });
    await peer.ask(command); // compiles, allocates; alternate has a warm-up of its own
    sides[name] = () => peer.ask(command);
  }
  const measured = await alternate(sides, { rounds });
  await Promise.all(peers.map((peer) => peer.close()));
  return measured;
}

/** Milliseconds of each token but the first 8, of all rounds together. */
async function decoding(threads: number, attention: string): Promise<Figures> {
  const peer = startPyTorch();
  await peer.ask({ do: "load", ...files, threads });
  const tokens: number[] = [];
  const cpu: number[] = [];
  const cores: number[] = [];
  for (let round = 0; round < rounds; round++) {
    const answer = await peer.ask({ do: "decode", attention, tokens: 256 });
    tokens.push(...(answer.tokenMs as number[]).slice(8));
    cpu.push(answer.cpuMs / 256);
    cores.push(answer.cpuMs / answer.ms);
  }
  await peer.close();
  return { ...figures(tokens, cpu), cores: Number(Math.max(...cores).toPrecision(4)), all: [] };
}

async function memory(command: Command): Promise<Record<string, unknown>> {
  const peer = startPyTorch();
  const { peakMb: loadedMb } = await peer.ask({ do: "load", ...files, threads: 1 });
  let last: Answer | undefined;
  for (let step = 0; step < 3; step++) last = await peer.ask(command);
  await peer.close();
  return { loadedMb, peakMb: last!.peakMb, gpuLibrariesMb: last!.gpuLibrariesMb };
}

async function embedding(threads: number): Promise<Figures & { readonly load: Answer; readonly checksum: unknown }> {
  const texts = passages(small ? 64 : 1000);
  const peer = startTransformers();
  const load = await peer.ask({ do: "load", threads });
  await peer.ask({ do: "embed", texts: texts.slice(0, 64) });
  const answers: Answer[] = [];
  for (let round = 0; round < (small ? 1 : 2); round++) answers.push(await peer.ask({ do: "embed", texts, batch: 32 }));
  await peer.close();
  const times = figures(
    answers.map(({ ms }) => ms),
    answers.map(({ cpuMs }) => cpuMs),
  );
  return { ...times, load, checksum: answers[0]!.checksum };
}

const ways = {
  sdpa: { attention: "sdpa" },
  plain: { attention: "plain" },
  compiled: { attention: "sdpa", compiled: true },
};
const each = (base: Command) =>
  Object.fromEntries(Object.entries(ways).map(([name, way]) => [name, { ...base, ...way }]));
const work = (threads: number): Readonly<Record<string, () => Promise<unknown>>> => ({
  forward: () => pyTorch(threads, each({ do: "forward" })),
  step: () =>
    pyTorch(threads, {
      ...each({ do: "step", optimizer: "fused" }),
      foreach: { do: "step", optimizer: "foreach" },
      loop: { do: "step", optimizer: "loop" },
    }),
  lora: () => pyTorch(threads, each({ do: "lora", optimizer: "fused" })),
  decodeToken: async () => ({ sdpa: await decoding(threads, "sdpa"), plain: await decoding(threads, "plain") }),
  embedding: () => embedding(threads),
});
const all: Readonly<Record<string, Readonly<Record<string, () => Promise<unknown>>>>> = {
  threads1: work(1),
  threads2: work(2),
  peakMemory: {
    step: () => memory({ do: "step" }),
    stepPlain: () => memory({ do: "step", attention: "plain" }),
    lora: () => memory({ do: "lora" }),
    forward: () => memory({ do: "forward" }),
  },
};
const only = process.argv
  .find((text) => text.startsWith("--only="))
  ?.slice(7)
  .split(",");
const file = new URL("peers.json", import.meta.url);
const before = only === undefined ? {} : JSON.parse(readFileSync(file, "utf8"));
const results: Record<string, Record<string, unknown>> = {};
for (const [group, kinds] of Object.entries(all)) {
  const measured: Record<string, unknown> = { ...before[group] };
  results[group] = measured;
  for (const [kind, measure] of Object.entries(kinds)) {
    if (only !== undefined && !only.includes(`${group}.${kind}`)) continue;
    measured[kind] = await measure();
    console.log(`${group}.${kind}`, JSON.stringify(measured[kind]));
  }
}
rmSync(folder, { recursive: true });
const measuredAgain = [...new Set([...(before.measuredAgain ?? []), ...(only ?? [])])];
if (!small) writeResults({ ...results, ...(only === undefined ? {} : { measuredAgain }) }, "peers.json");
