// Decoders in float32, 8 and 4 bits, in turns within one run: speed, memory, and how far their answers agree. Weights are
// random. By hand, on an idle machine; the temporary folder needs 6 GB, which are taken away again:
//   node --conditions=@clara/source benchmarks/decoder/bench.ts                                twenty minutes; writes results.json
//   node --conditions=@clara/source benchmarks/decoder/bench.ts --model tiny --rounds 1        writes nothing
// --keep leaves the models in --folder, where the next run with it takes them; --rounds 0 only makes them.
import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { loadavg, tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { type Answer, alternate, type Figures, figures, machine, median, type Peer } from "../engine/harness.ts";
import { type Agreement, compareLogits, firstDifference, type Peakedness } from "./agreement.ts";
import { importModel, type ModelName, models, parametersOf, randomIds, writeRandomModel } from "./models.ts";
import { startWay, type Way, waysOf } from "./ways.ts";

const { values: flags } = parseArgs({
  options: {
    model: { type: "string", multiple: true },
    rounds: { type: "string", default: "7" },
    threads: { type: "string", default: "2" },
    folder: { type: "string", default: tmpdir() },
    keep: { type: "boolean", default: false },
  },
});
const [rounds, threads] = [Number(flags.rounds), Number(flags.threads)];
const names = (flags.model ?? ["0.13B", "0.5B"]) as ModelName[];
/** Of the prompt that is timed, and of the answer to it. */
const [promptTokens, answerTokens] = [256, 65];
/** Positions whose distributions are compared, and answers whose first difference is looked for. */
const [texts, textTokens, answers, greedyTokens] = [4, 128, 16, 64];

type Generated = Answer & { readonly ids: number[][]; readonly promptMs: number; readonly tokenMs: number };

/** Of one way. Megabytes are of 2^20 bytes. */
interface Measured {
  weightsMb: number;
  openMs: number;
  /** Of the process after its first answer: largest so far; now its own, and of mapped files. */
  memory: { readonly peakMb: number; readonly ownMb: number; readonly fileMb: number };
  promptTokensPerSecond?: number;
  tokensPerSecond?: number;
  promptMs?: Figures;
  tokenMs?: Figures;
  /** CPU time through wall time of the fastest run. Well below the threads: others had the cores, measure again. */
  cores?: number | undefined;
  agreement?: Agreement;
  /** Tokens before the first that is another than the first way's, of each answer. */
  sameGreedyTokens?: { readonly of: number; readonly median: number; readonly all: readonly number[] };
}

interface ModelResult {
  readonly parameters: number;
  readonly config: object;
  readonly gain: number;
  readonly float32Distributions: Peakedness;
  readonly ways: Readonly<Record<string, Measured>>;
  readonly skipped: Readonly<Record<string, string>>;
}

/** In float32, int8 and int4, unless an earlier run has kept them. */
async function makeModels(name: ModelName, folder: string): Promise<void> {
  if (existsSync(join(folder, "int4", "config.json"))) return;
  const source = join(folder, "source");
  writeRandomModel(source, models[name]);
  for (const precision of ["float32", "int8", "int4"] as const) {
    await importModel(source, precision, join(folder, precision));
  }
  rmSync(source, { recursive: true });
}

async function measure(name: ModelName, folder: string): Promise<ModelResult> {
  const { config, gain } = models[name];
  const vocabulary = config.vocab_size;
  const { ways, skipped } = waysOf(name);
  const peers = new Map<Way, Peer>();
  const result: Record<string, Measured> = {};
  const prompts = [randomIds(promptTokens, vocabulary, 2)];
  const ask = async (way: Way, command: object) => (await peers.get(way)!.ask({ ...command })) as Generated;
  try {
    for (const way of ways) {
      peers.set(way, startWay(way));
      const { ms } = await ask(way, { do: "open", folder: join(folder, way.precision), threads, ...way.options });
      await ask(way, { do: "generate", prompts, tokens: answerTokens });
      const { peakMb, ownMb, fileMb } = (await ask(way, { do: "memory" })) as Answer as Answer & Measured["memory"];
      const { size } = statSync(join(folder, way.precision, "base.safetensors"));
      const weightsMb = Math.round(size / 2 ** 20);
      result[way.name] = { weightsMb, openMs: Math.round(ms), memory: { peakMb, ownMb, fileMb } };
      console.error(`${way.name}: opened in ${Math.round(ms)} ms`);
    }
    const times = new Map(ways.map((way) => [way, { prompt: [] as number[], token: [] as number[] }]));
    const side = (way: Way) => async () => {
      const generated = await ask(way, { do: "generate", prompts, tokens: answerTokens });
      times.get(way)!.prompt.push(generated.promptMs);
      times.get(way)!.token.push(generated.tokenMs);
      return generated;
    };
    const sides = Object.fromEntries(ways.map((way) => [way.name, side(way)]));
    const whole = await alternate(sides, { rounds, warmUp: 0 });
    for (const [way, { prompt, token }] of times) {
      Object.assign(result[way.name]!, {
        promptTokensPerSecond: round((1000 * promptTokens) / median(prompt)),
        tokensPerSecond: round(1000 / median(token)),
        promptMs: figures(prompt),
        tokenMs: figures(token),
        cores: whole[way.name]!.cores,
      });
    }
    const float32Distributions = await agree(ways, ask, result, folder, vocabulary);
    return { parameters: parametersOf(config), config, gain, float32Distributions, ways: result, skipped };
  } finally {
    for (const peer of peers.values()) await peer.close();
  }
}

/** Adds to each way's results how far it agrees with the first. */
async function agree(
  ways: readonly Way[],
  ask: (way: Way, command: object) => Promise<Generated>,
  result: Readonly<Record<string, Measured>>,
  folder: string,
  vocabulary: number,
): Promise<Peakedness> {
  const prompts = Array.from({ length: answers }, (_, i) => randomIds(32, vocabulary, 100 + i));
  const [first, own] = [join(folder, "first.logits"), join(folder, "own.logits")];
  let greedy: number[][] = [];
  let peakedness: Peakedness | undefined;
  for (const way of ways) {
    const { ids } = await ask(way, { do: "generate", prompts, tokens: greedyTokens });
    const file = way === ways[0] ? first : own;
    for (let i = 0; i < texts; i++) {
      await ask(way, { do: "logits", ids: randomIds(textTokens, vocabulary, 10 + i), file });
    }
    if (way === ways[0]) {
      greedy = ids;
      continue;
    }
    const { agreement, ...compared } = compareLogits(first, own, vocabulary);
    rmSync(own);
    peakedness ??= rounded(compared.first);
    const same = ids.map((answer, i) => firstDifference(greedy[i]!, answer));
    Object.assign(result[way.name]!, {
      agreement: rounded(agreement),
      sameGreedyTokens: { of: greedyTokens, median: median(same), all: same },
    });
  }
  rmSync(first);
  return peakedness!;
}

function rounded<T extends object>(numbers: T): T {
  return Object.fromEntries(Object.entries(numbers).map(([name, value]) => [name, value && round(value)])) as T;
}

function round(value: number): number {
  return Number(value.toPrecision(3));
}

function table(name: string, { ways }: ModelResult): string {
  const lines = Object.entries(ways).map(([way, of]) => {
    const { peakMb, ownMb, fileMb } = of.memory;
    const percent = (share: number | null | undefined): string =>
      share == null ? "" : `${(100 * share).toFixed(1)} %`;
    const { agreement, sameGreedyTokens } = of;
    const speed = [of.promptTokensPerSecond, of.tokensPerSecond];
    const close = [
      percent(agreement?.top1),
      percent(agreement?.top1WhenSure),
      agreement?.meanKl,
      agreement?.logitError,
    ];
    return [way, of.weightsMb, `${peakMb} / ${ownMb} / ${fileMb}`, ...speed, ...close, sameGreedyTokens?.median];
  });
  const heads = [
    ...[name, "Weights, MB", "Memory, MB: peak / own / of files", "Prompt, tokens/s", "Answer, tokens/s"],
    ...["Same best word", "where its p ≥ 0.5", "KL, nats", "Error of logits", "Same greedy tokens"],
  ];
  const row = (cells: readonly unknown[]): string => `| ${cells.map((cell) => cell ?? "").join(" | ")} |`;
  return [row(heads), row(heads.map(() => "---")), ...lines.map(row)].join("\n");
}

const loadBefore = round(loadavg()[0]!);
const results: Record<string, ModelResult> = {};
for (const name of names) {
  const folder = flags.keep
    ? join(flags.folder, `clara-decoder-${name}`)
    : mkdtempSync(join(flags.folder, "clara-decoder-"));
  try {
    await makeModels(name, folder);
    if (rounds === 0) continue;
    results[name] = await measure(name, folder);
  } finally {
    if (!flags.keep) rmSync(folder, { recursive: true });
  }
  const { parameters, float32Distributions, skipped } = results[name]!;
  console.log(`${table(name, results[name]!)}\n`, { parameters, ...float32Distributions, skipped });
}
if (!flags.model && rounds > 0) {
  const settings = { threads, rounds, loadBefore, promptTokens, answerTokens: answerTokens - 1, answers, greedyTokens };
  // Lists of numbers on one line: a diff then shows one line for each list.
  const json = JSON.stringify({ ...machine(), ...settings, models: results }, undefined, 2);
  const short = json.replaceAll(/\[[\s\d.,e+-]+\]/g, (list) => list.replaceAll(/\s+/g, " "));
  writeFileSync(new URL("results.json", import.meta.url), `${short}\n`);
}
