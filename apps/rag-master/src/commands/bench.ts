import { arch, cpus, platform, totalmem } from "node:os";
import { ClaraError } from "@clara/core";
import type { Command } from "commander";
import { type Bench, bench } from "../bench.ts";
import type { Model } from "../model.ts";
import { sampleFolder } from "../samples.ts";
import { type CommandContext, openModel, settingsOf } from "./context.ts";
import { stages } from "./source.ts";

export function addBench(program: Command, context: CommandContext): void {
  program
    .command("bench")
    .summary("how quick this machine is")
    .description(
      "Measures compressing, questions and answers on the sample documents, or on your own. Other work on the machine shows in the figures.",
    )
    .argument("[path...]", "files and folders (default: the sample documents of the repository)")
    .option("--config <file>", "settings (default: rag_config.yaml, when it is here)")
    .option("--json", "one JSON value on stdout")
    .addHelpText("after", "\nExamples:\n  bench\n  bench --threads 1\n  bench docs --engine tfjs-node --json")
    .action(async (given: string[], flags: { config?: string; json?: boolean }) => {
      const { terminal, signal } = context;
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
