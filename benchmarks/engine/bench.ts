// The engine beside PyTorch and Transformers.js, in turns within one run. By hand, on an idle machine, after
// `bash benchmarks/engine/peers/setup.sh`:
//   node --conditions=@clara/source benchmarks/engine/bench.ts            twenty minutes; writes results.json
//   node --conditions=@clara/source benchmarks/engine/bench.ts --only step --rounds 3 --threads 1     writes nothing
// Peak memory and starting are measured in processes of their own, which this file starts as itself: --alone <what>.
import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { parseArgs } from "node:util";
import { createEngine, type Engine, type HostTensors } from "../../packages/engine/src/index.ts";
import { alternate, compare, type Side, startPyTorch, startTransformers, timed, writeResults } from "./harness.ts";
import { batchFile, passages, recipeBatch, weightsFile } from "./inputs.ts";
import { createEmbedder, createOurDecoder, cutOf, loss, lossSpecs, parts, partsOfTokens, readInputs } from "./ours.ts";

const { values: flags } = parseArgs({
  options: {
    only: { type: "string", multiple: true },
    rounds: { type: "string", default: "7" },
    threads: { type: "string", multiple: true, default: ["1", "2"] },
    alone: { type: "string" },
  },
});
const rounds = Number(flags.rounds);
/** Rows of a part: of the batch of 16, as many as run fastest. */
const rowsAtOnce = { forward: 2, step: 4, lora: 4 } as const;

const weightsBytes = weightsFile();
const batchBytes = batchFile();
const inputs = readInputs(weightsBytes, batchBytes);

async function forwardSide(engine: Engine, rows: number): Promise<Side> {
  const params = await engine.params({ ...inputs.model, ...inputs.head });
  const compiled = await engine.compile(loss, lossSpecs, { params });
  const cut = parts(inputs.batch, rows);
  return () => timed(async () => void (await Promise.all(cut.map((part) => compiled.run(part)))));
}

async function trainingSide(engine: Engine, lora: boolean, rows: number): Promise<Side> {
  const params = lora
    ? [await engine.params(inputs.model), await engine.params({ ...inputs.lora, ...inputs.head }, { trainable: true })]
    : [await engine.params({ ...inputs.model, ...inputs.head }, { trainable: true })];
  // The decay of the peer's optimizer: all weights, and no token types, which the batch does not use.
  const trainer = await engine.trainer(loss, lossSpecs, { params, decay: () => 1 });
  const cut = parts(inputs.batch, rows);
  return () =>
    timed(async () => {
      for (const part of cut) await trainer.accumulate(part);
      await trainer.step({ learningRate: 1e-4, clipNorm: 1, divisor: cut.length });
    });
}

const recipe = recipeBatch();
/** As the trainer cuts a batch. */
const recipeCuts = partsOfTokens(recipe.widths, 1024);

/** A step of `mini-reader`: embeddings and the two lowest layers stay, rows of like length share a part. */
async function recipeSide(engine: Engine): Promise<Side> {
  const trained = ([name]: readonly [string, unknown]) => /^layers\.[2-9]\./.test(name);
  const model = Object.entries(inputs.model);
  const params = [
    await engine.params(Object.fromEntries(model.filter((entry) => !trained(entry)))),
    await engine.params({ ...Object.fromEntries(model.filter(trained)), ...inputs.head }, { trainable: true }),
  ];
  const trainer = await engine.trainer(loss, lossSpecs, { params, decay: () => 1 });
  const { batch } = readInputs(weightsBytes, recipe.file);
  const cut = recipeCuts.map((range) => cutOf(batch, range));
  return () =>
    timed(async () => {
      for (const part of cut) await trainer.accumulate(part);
      await trainer.step({ learningRate: 1e-4, clipNorm: 1, divisor: cut.length });
    });
}

/** One side of ours beside every way to ask PyTorch. */
async function beside(
  threads: number,
  ours: (engine: Engine) => Promise<Readonly<Record<string, Side>>>,
  commands: Readonly<Record<string, Readonly<Record<string, unknown>>>>,
  batch: Uint8Array = batchBytes,
): Promise<Record<string, unknown>> {
  const engine = await createEngine({ prefer: "compiled", threads });
  const folder = mkdtempSync(join(tmpdir(), "clara-bench-"));
  const files = { weights: join(folder, "weights.safetensors"), batch: join(folder, "batch.safetensors") };
  writeFileSync(files.weights, weightsBytes);
  writeFileSync(files.batch, batch);
  const peers = await Promise.all(
    Object.entries(commands).map(async ([name, command]) => {
      const peer = startPyTorch();
      await peer.ask({ do: "load", ...files, threads });
      await peer.ask(command);
      return { name, peer, command };
    }),
  );
  try {
    const sides: Record<string, Side> = { ...(await ours(engine)) };
    for (const { name, peer, command } of peers) sides[name] = () => peer.ask(command);
    const measured = await alternate(sides, { rounds, warmUp: 2 });
    return { ...compare<string>(measured, "ours"), ...measured };
  } finally {
    for (const { peer } of peers) await peer.close();
    await engine.dispose();
    rmSync(folder, { recursive: true });
  }
}

const sdpa = { attention: "sdpa" };
const works: Readonly<Record<string, (threads: number) => Promise<unknown>>> = {
  forward: (threads) =>
    beside(
      threads,
      async (engine) => ({
        ours: await forwardSide(engine, rowsAtOnce.forward),
        oursInOnePart: await forwardSide(engine, 16),
      }),
      { torch: { do: "forward", ...sdpa }, torchCompiled: { do: "forward", ...sdpa, compiled: true } },
    ),
  step: (threads) =>
    beside(threads, async (engine) => ({ ours: await trainingSide(engine, false, rowsAtOnce.step) }), {
      torch: { do: "step", ...sdpa, optimizer: "fused" },
      torchCompiled: { do: "step", ...sdpa, optimizer: "fused", compiled: true },
    }),
  recipe: (threads) => {
    const step = { do: "step", ...sdpa, optimizer: "fused", frozen: 2 };
    return beside(
      threads,
      async (engine) => ({ ours: await recipeSide(engine) }),
      {
        torch: { ...step, cuts: [{ from: 0, to: recipe.widths.length, width: recipe.widths[0] }] },
        torchInParts: { ...step, cuts: recipeCuts },
        torchInPartsCompiled: { ...step, cuts: recipeCuts, compiled: true },
      },
      recipe.file,
    );
  },
  lora: (threads) =>
    beside(threads, async (engine) => ({ ours: await trainingSide(engine, true, rowsAtOnce.lora) }), {
      torch: { do: "lora", ...sdpa, optimizer: "fused" },
      torchCompiled: { do: "lora", ...sdpa, optimizer: "fused", compiled: true },
    }),
  decode: async (threads) => {
    const engine = await createEngine({ prefer: "compiled", threads });
    const decoder = await createOurDecoder(engine, inputs.model);
    const folder = mkdtempSync(join(tmpdir(), "clara-bench-"));
    const files = { weights: join(folder, "weights.safetensors"), batch: join(folder, "batch.safetensors") };
    writeFileSync(files.weights, weightsBytes);
    writeFileSync(files.batch, batchBytes);
    const peer = startPyTorch();
    await peer.ask({ do: "load", ...files, threads });
    const tokens = 256;
    try {
      // Whole answers from an empty cache to a full one; the peer's whole answer has its loop in Python, as users have.
      const measured = await alternate(
        {
          ours: () => timed(() => decoder.generateAll([[101]], { maxTokens: tokens - 1 })),
          torch: () => peer.ask({ do: "decode", ...sdpa, tokens: tokens - 1, start: 101 }),
          torchPlain: () => peer.ask({ do: "decode", attention: "plain", tokens: tokens - 1, start: 101 }),
        },
        { rounds, warmUp: 1 },
      );
      return { tokens: tokens - 1, ...compare(measured, "ours"), ...measured };
    } finally {
      await peer.close();
      await engine.dispose();
      rmSync(folder, { recursive: true });
    }
  },
  embed: async (threads) => {
    if (!existsSync(modelFolder())) return { skipped: "needs all-MiniLM-L6-v2: name its folder in CLARA_MINILM" };
    const folder = new URL(".peers/models/all-MiniLM-L6-v2/", import.meta.url);
    const weights = readFileSync(new URL("model.safetensors", modelFolder()));
    const engine = await createEngine({ prefer: "compiled", threads });
    const embed = await createEmbedder(engine, weights, readFileSync(new URL("tokenizer.json", folder), "utf8"));
    const texts = passages(1000);
    const sorted = texts.toSorted((a, b) => a.length - b.length);
    const peer = startTransformers();
    await peer.ask({ do: "load", threads });
    await peer.ask({ do: "embed", texts: texts.slice(0, 64) });
    await embed(texts.slice(0, 64));
    const measured = await alternate(
      {
        ours: () => timed(() => embed(texts)),
        transformers: () => peer.ask({ do: "embed", texts, batch: 32 }),
        transformersSorted: () => peer.ask({ do: "embed", texts: sorted, batch: 32 }),
      },
      { rounds: Math.min(rounds, 2), warmUp: 0 },
    );
    const [mine] = await embed(texts.slice(0, 1));
    const { first } = (await peer.ask({ do: "embed", texts: texts.slice(0, 1) })) as unknown as { first: number[] };
    await peer.close();
    await engine.dispose();
    const difference = Math.max(...first.map((value, i) => Math.abs(value - mine![i]!)));
    const asUsed = { ours: measured.ours, transformers: measured.transformers };
    const bothSorted = { ours: measured.ours, transformersSorted: measured.transformersSorted };
    return {
      largestDifference: difference,
      ...compare(asUsed, "ours"),
      againstSorted: compare(bothSorted, "ours"),
      ...measured,
    };
  },
};

/** The folder of all-MiniLM-L6-v2 in safetensors, which is not in the repository. */
function modelFolder(): URL {
  const { CLARA_MINILM: given } = process.env;
  return given ? pathToFileURL(`${given}/`) : new URL("../../../shared/models/all-MiniLM-L6-v2/", import.meta.url);
}

/** Work whose process is measured as a whole. */
const alone: Readonly<Record<string, () => Promise<Record<string, unknown>>>> = {
  step: () => peak(false, rowsAtOnce.step),
  stepInOnePart: () => peak(false, 16),
  lora: () => peak(true, rowsAtOnce.lora),
  start: async () => {
    const cacheFolder = mkdtempSync(join(tmpdir(), "clara-bench-"));
    const starts: Record<string, number>[] = [];
    // The first start traces, cold; the second too, warm; the others read the program from the disk.
    for (const key of [undefined, undefined, "encoder", "encoder", "encoder"]) {
      const engine = await createEngine({ prefer: "compiled", threads: 2, cacheFolder });
      const params = await engine.params({ ...inputs.model, ...inputs.head } as HostTensors);
      const started = performance.now();
      const compiled = await engine.compile(loss, lossSpecs, { params, ...(key && { key }) });
      starts.push({ wholeMs: performance.now() - started, ...compiled.milliseconds });
      await engine.dispose();
    }
    rmSync(cacheFolder, { recursive: true });
    const [cold, warm, , ...cached] = starts;
    return { cold, warm, cached };
  },
};

async function peak(lora: boolean, rows: number): Promise<Record<string, unknown>> {
  const engine = await createEngine({ prefer: "compiled", threads: 1 });
  const work = await trainingSide(engine, lora, rows);
  for (let i = 0; i < 3; i++) await work();
  const peakMb = Number(/VmHWM:\s+(\d+)/.exec(readFileSync("/proc/self/status", "utf8"))?.[1]) / 1024;
  await engine.dispose();
  return { peakMb: Math.round(peakMb) };
}

if (flags.alone) {
  console.log(JSON.stringify(await alone[flags.alone]!()));
} else {
  const results: Record<string, unknown> = { rounds, rowsAtOnce };
  for (const [name, work] of Object.entries(works)) {
    if (flags.only && !flags.only.includes(name)) continue;
    for (const threads of flags.threads.map(Number)) {
      const key = `${name}, ${threads} ${threads === 1 ? "thread" : "threads"}`;
      results[key] = await work(threads);
      console.log(key, JSON.stringify(results[key]));
    }
  }
  for (const name of Object.keys(alone)) {
    if (flags.only && !flags.only.includes("alone")) continue;
    const args = ["--conditions=@clara/source", import.meta.filename, "--alone", name];
    results[`alone, ${name}`] = JSON.parse(execFileSync(process.execPath, args, { encoding: "utf8" }));
    console.log(name, JSON.stringify(results[`alone, ${name}`]));
  }
  if (!flags.only) writeResults(results);
}
