import { arch, cpus, platform, totalmem } from "node:os";
import { ClaraError } from "@clara/core";
import type { Command } from "commander";
import { type Bench, bench } from "../bench.ts";
import type { Model } from "../model.ts";
import { sampleFolder } from "../samples.ts";
import { benchRates, type RatesFlags } from "./bench-rates.ts";
import { type CommandContext, openModel, settingsOf } from "./context.ts";
import { addQuestionFlags } from "./questions.ts";
import { stages } from "./source.ts";

export function addBench(program: Command, context: CommandContext): void {
  const command = program
    .command("bench")
    .summary("how quick this machine is; what each compression rate costs and gives")
    .description(
      "Measures compressing, questions and answers on the sample documents, or on your own. With --rates: answer quality, time and size at each rate, on your own questions. Other work on the machine shows in the figures.",
    )
    .argument("[path...]", "files and folders (default: the sample documents of the repository)")
    .option("--config <file>", "settings (default: rag_config.yaml, when it is here)")
    .option("--rates [list]", "measure these rates (1,2,4,8,16,32,64 when none are given)")
    .option("--data <file>", "with --rates: questions, as for evaluate (default: those about the sample documents)")
    .option("--contexts <list>", "with --rates: of memory, text, mixed (default: all)")
    .option("--html <file>", "with --rates: write a page with charts")
    .option("--json", "one JSON value on stdout")
    .addHelpText(
      "after",
      "\nExamples:\n  bench\n  bench --threads 1\n  bench docs --engine tfjs-node --json\n  bench --rates\n  bench docs --data questions.jsonl --rates 4,16,64 --html rates.html",
    )
    .action(async (given: string[], flags: Partial<RatesFlags>) => {
      const { terminal, signal } = context;
      const { rates } = flags;
      if (rates !== undefined) return benchRates(given, { ...flags, rates }, context, machine());
      const alone = (["data", "contexts", "html", "limit", "format", "setting", "documents", "skipBad"] as const).find(
        (name) => flags[name] !== undefined,
      );
      if (alone !== undefined) {
        const flag = alone === "skipBad" ? "skip-bad" : alone;
        throw new ClaraError("option", `bench: --${flag} is for the curve of rates; add --rates`);
      }
      const samples = sampleFolder();
      const paths = given.length > 0 || samples === undefined ? given : [samples];
      if (paths.length === 0) {
        throw new ClaraError("option", "bench: the sample documents are not here; name files or folders: bench docs");
      }
      const { config } = await settingsOf(flags.config);
      let engine: Model["engine"] | undefined;
      const open = async (): Promise<Model> => {
        const model = await openModel(config, context);
        engine = model.engine;
        return model;
      };
      const show = stages(terminal);
      const figures = await bench(paths, { open, config, signal, onProgress: show.update }).finally(show.stop);
      const peakMemoryMB = Math.round(process.resourceUsage().maxRSS / 1024);
      const { name, details } = engine!;
      if (flags.json) {
        terminal.printJson({
          version: context.version,
          date: new Date().toISOString().slice(0, 10),
          machine: machine(),
          engine: { name, details },
          ...figures,
          peakMemoryMB,
        });
      } else for (const line of table(figures, `${name}, ${details}`, peakMemoryMB)) terminal.print(line);
    });
  addQuestionFlags(command);
}

function machine(): object {
  const [cpu] = cpus();
  return {
    cores: cpus().length,
    cpu: cpu?.model.trim() ?? "unknown",
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    system: `${platform()}-${arch()}`,
    node: process.versions.node,
  };
}

function table({ documents, ...figures }: Bench, engine: string, peakMemoryMB: number): string[] {
  const count = (value: number): string => value.toLocaleString("en");
  const rows: [string, string][] = [
    ["engine", engine],
    ["documents", `${documents.files} files, ${count(documents.passages)} passages, ${count(documents.tokens)} tokens`],
    ["start", `${figures.startMs} ms from nothing to a model that compresses`],
    [
      "compress",
      `${figures.compress.passagesPerSecond} passages/s, ${count(figures.compress.tokensPerSecond)} tokens/s`,
    ],
    ["query", `${spread(figures.queryMs)} from a question to its vector`],
    ["first answer", `${figures.firstAnswerMs} ms, with the start of the reader`],
    ["first token", `${spread(figures.firstTokenMs)} from a question to its answer, once the reader runs`],
    ["memory", `${count(peakMemoryMB)} MB at most`],
  ];
  return rows.map(([name, text]) => `${name.padEnd(14)} ${text}`);
}

function spread({ p50, p95 }: { p50: number; p95: number }): string {
  return `${p50} ms (95 of 100 within ${p95} ms)`;
}
