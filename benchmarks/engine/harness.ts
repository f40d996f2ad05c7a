import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
import { cpus } from "node:os";
import { createInterface } from "node:readline";

/** What a peer answers: times in ms, memory in MB, and what the command asks for. */
export type Answer = Readonly<Record<string, unknown>> & { readonly ms: number; readonly cpuMs: number };

export interface Peer {
  /** Sends one command, resolves to its answer. One at a time. */
  ask(command: Readonly<Record<string, unknown>>): Promise<Answer>;
  /** Ends the process. */
  close(): Promise<void>;
}

/**
 * Starts a process that reads one JSON command a line and writes one JSON answer a line.
 *
 * @param command program and its arguments
 */
export function startPeer(
  command: readonly string[],
  { env = {} }: { env?: Readonly<Record<string, string>> } = {},
): Peer {
  const [program, ...args] = command;
  const child = spawn(program!, args, { stdio: ["pipe", "pipe", "pipe"], env: { ...process.env, ...env } });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  let complaints = "";
  child.stderr.on("data", (text: Buffer) => {
    complaints = (complaints + text).slice(-4000);
  });
  child.stdin.on("error", () => {}); // the missing answer says more
  const failed = new Promise<never>((_, reject) => child.once("error", reject));
  failed.catch(() => {});
  const exited = once(child, "close").catch(() => {});
  return {
    async ask(command) {
      child.stdin.write(`${JSON.stringify(command)}\n`);
      const { value, done } = await Promise.race([lines.next(), failed]);
      if (done) {
        await exited;
        throw new Error(`${program} ended (${child.exitCode ?? child.signalCode}) at ${command.do}: ${complaints}`);
      }
      const answer = JSON.parse(value);
      if (answer.error !== undefined) throw new Error(`${program}: ${command.do}: ${answer.error}`);
      return answer;
    },
    async close() {
      child.stdin.end();
      await exited;
    },
  };
}

const peers = new URL("peers/", import.meta.url);
const installed = new URL(".peers/", import.meta.url);

/** PyTorch; `setup.sh` has installed it. First command: load. */
export const startPyTorch = (): Peer =>
  startPeer([new URL("venv/bin/python", installed).pathname, new URL("pytorch.py", peers).pathname]);

/** Transformers.js; `setup.sh` has installed it and made its model. */
export const startTransformers = (): Peer => startPeer([process.execPath, new URL("transformers.mjs", peers).pathname]);

/** One timed piece of work; a peer's answer is one, `timed` makes one of ours. */
export type Side = () => Promise<{ readonly ms: number; readonly cpuMs?: number }>;

/** Runs `work` and takes its wall time and this process' CPU time (all threads, workers included). */
export async function timed(work: () => Promise<unknown>): Promise<{ readonly ms: number; readonly cpuMs: number }> {
  const spent = process.cpuUsage();
  const started = performance.now();
  await work();
  const ms = performance.now() - started;
  const { user, system } = process.cpuUsage(spent);
  return { ms, cpuMs: (user + system) / 1000 };
}

/** Figures of one side, milliseconds; `all` in the order of the rounds. */
export interface Figures {
  readonly medianMs: number;
  readonly minMs: number;
  readonly minCpuMs?: number;
  /** CPU time through wall time of the fastest run. Well below the threads asked for: others had the cores, measure again. */
  readonly cores?: number;
  readonly all: readonly number[];
}

/**
 * Runs the sides in turn, so that whatever else the machine does slows all alike; every other round backwards, so that
 * none always follows the same one.
 *
 * @param rounds that count @default 7
 * @param warmUp rounds before them @default 1
 */
export async function alternate<Name extends string>(
  sides: Readonly<Record<Name, Side>>,
  { rounds = 7, warmUp = 1 }: { rounds?: number; warmUp?: number } = {},
): Promise<Record<Name, Figures>> {
  const names = Object.keys(sides) as Name[];
  const ms = new Map<Name, number[]>(names.map((name) => [name, []]));
  const cpu = new Map<Name, number[]>(names.map((name) => [name, []]));
  for (let round = -warmUp; round < rounds; round++) {
    for (const name of round % 2 === 0 ? names : names.toReversed()) {
      const took = await sides[name]();
      if (round < 0) continue;
      ms.get(name)!.push(took.ms);
      if (took.cpuMs !== undefined) cpu.get(name)!.push(took.cpuMs);
    }
  }
  return Object.fromEntries(names.map((name) => [name, figures(ms.get(name)!, cpu.get(name)!)])) as Record<
    Name,
    Figures
  >;
}

/** Median and minimum of some times; `cpuMs` of the same runs, or none. */
export function figures(ms: readonly number[], cpuMs: readonly number[] = []): Figures {
  const minMs = Math.min(...ms);
  const cpuOfFastest = cpuMs.length === ms.length ? cpuMs[ms.indexOf(minMs)] : undefined;
  return {
    medianMs: round(median(ms)),
    minMs: round(minMs),
    ...(cpuMs.length > 0 ? { minCpuMs: round(Math.min(...cpuMs)) } : {}),
    ...(cpuOfFastest !== undefined ? { cores: round(cpuOfFastest / minMs) } : {}),
    all: ms.map((value) => round(value)),
  };
}

/** How many times as fast as the fastest other side `ours` is; above 1 is faster. Its fastest is that of the median. */
export function compare<Name extends string>(
  measured: Readonly<Record<Name, Figures>>,
  ours: Name,
): { readonly peer: string; readonly ratioOfMedians: number; readonly ratioOfMinima: number } {
  const others = (Object.keys(measured) as Name[]).filter((name) => name !== ours);
  const peer = others.reduce((best, name) => (measured[name].medianMs < measured[best].medianMs ? name : best));
  return {
    peer,
    ratioOfMedians: round(measured[peer].medianMs / measured[ours].medianMs),
    ratioOfMinima: round(measured[peer].minMs / measured[ours].minMs),
  };
}

/** The machine, as every results file names it. */
export function machine(): Readonly<Record<string, unknown>> {
  return {
    date: new Date().toISOString().slice(0, 10),
    cpu: cpus()[0]?.model.trim(),
    cores: cpus().length,
    node: process.versions.node,
  };
}

/** Versions of what `setup.sh` installed, as it wrote them. */
export const peerVersions = (): Readonly<Record<string, string>> =>
  JSON.parse(readFileSync(new URL("versions.json", installed), "utf8"));

/** Writes `results` with the machine, the peers' versions and the date, as JSON beside this file. */
export function writeResults(results: Readonly<Record<string, unknown>>, file = "results.json"): void {
  const content = { ...machine(), versions: peerVersions(), ...results };
  // Lists of numbers on one line: a diff then shows one line for each list.
  const json = JSON.stringify(content, undefined, 2).replaceAll(/\[[\s\d.,e+-]+\]/g, (list) =>
    list.replaceAll(/\s+/g, " "),
  );
  writeFileSync(new URL(file, import.meta.url), `${json}\n`);
}

/** The middle value; of an even count the mean of the two. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

function round(value: number): number {
  return Number(value.toPrecision(4));
}
