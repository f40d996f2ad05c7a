import { ClaraError } from "@clara/core";
import { type Command, Option } from "commander";
import { gigabytes, linesOf, reportOf, yamlLine } from "../import/describe.ts";
import { checkTables, type Inspected, inspect } from "../import/inspect.ts";
import type { Precision } from "../import/plan.ts";
import { outState, runImport } from "../import/run-import.ts";
import type { CommandContext } from "./context.ts";

interface Flags {
  readonly base?: string;
  readonly out?: string;
  readonly quantize: string;
  readonly dryRun?: boolean;
  readonly json?: boolean;
}

export function addImport(program: Command, context: CommandContext): void {
  program
    .command("import")
    .summary("a CLaRa checkpoint, or a decoder, into a model folder")
    .description(
      "Checks a CLaRa checkpoint as published and its base model, and writes one folder of both. A decoder's folder alone becomes the base of a CLaRa of your own. A run that is stopped goes on when it is started again.",
    )
    .argument(
      "<folder>",
      "the checkpoint: config.json, adapters.pth, decoder_first_last_layers.pth; or a decoder's folder",
    )
    .option("--base <dir>", "Hugging Face folder of the model that the checkpoint was made on")
    .option("--out <dir>", 'folder to write (default: "models/<name>")')
    .addOption(
      new Option("--quantize <precision>", "linear maps in fewer bits")
        .choices(["none", "int8", "int4"])
        .default("none"),
    )
    .option("--dry-run", "look at everything, compare the tables, write nothing")
    .option("--json", "one JSON value on stdout")
    .addHelpText(
      "after",
      "\nExamples:\n  import CLaRa-7B-E2E/compression-16 --base Mistral-7B-Instruct-v0.2 --dry-run\n  import CLaRa-7B-E2E/compression-16 --base Mistral-7B-Instruct-v0.2 --quantize int4\n  import Qwen2.5-0.5B-Instruct --out models/qwen",
    )
    .action(async (folder: string, flags: Flags) => {
      const precision: Precision = flags.quantize === "none" ? "float32" : (flags.quantize as Precision);
      const inspected = inspect(folder, { base: flags.base, precision });
      try {
        await run(inspected, flags, context);
      } finally {
        inspected.close();
      }
    });
}

async function run(inspected: Inspected, flags: Flags, { terminal, signal }: CommandContext): Promise<void> {
  const out = flags.out ?? `models/${inspected.name}`;
  const report = reportOf(inspected, out);
  for (const line of linesOf(report, inspected)) terminal.print(line);
  const state = outState(inspected, out);
  if (inspected.checkpoint) {
    terminal.info("comparing the checkpoint's tables with the base's");
    await checkTables(inspected, signal);
  }
  if (flags.dryRun) {
    terminal.print("dry run: nothing is written");
    terminal.printJson({ ...report, dryRun: true, id: null });
    return;
  }
  if (state === "begun") terminal.info(`${out}: going on with an import that was begun`);
  if (state === "done") terminal.info(`${out}: is imported already; its files are read and compared with their sha256`);
  let written = 0;
  let progress: ReturnType<typeof terminal.progress> | undefined;
  const megabytes = (bytes: number): number => Math.floor(bytes / 1e6);
  const model = await runImport(inspected, out, {
    signal,
    onProgress(bytes, total, part) {
      written = bytes;
      progress ??= terminal.progress("MB written", megabytes(total));
      progress.update(megabytes(bytes), part);
    },
  })
    .catch((error: unknown) => {
      const stopped = error instanceof ClaraError && (error.code === "aborted" || error.code === "io");
      if (stopped && written > 0) {
        terminal.info(
          `${gigabytes(written)} of ${gigabytes(report.bytes.written)} are in ${out}; the same command goes on from there`,
        );
      }
      throw error;
    })
    .finally(() => progress?.stop());
  const yaml = yamlLine(out, report);
  terminal.printJson({ ...report, dryRun: false, id: model.id, bytes: { ...report.bytes, folder: model.bytes }, yaml });
  terminal.print(`model: ${out} (${model.id}), ${gigabytes(model.bytes)}`);
  terminal.print(`in rag_config.yaml, below rag_master:  ${yaml}`);
  terminal.print(
    model.clara
      ? "what works today: index, ask, evaluate and explain with this line, and generation: { temperature: 0 } to write as the reference does; " +
          "answers in the model's own words pass with guardrails: { require_citations: false }"
      : "what works today: the folder in code, as the base that adapters are trained on; it cannot be compression.model before",
  );
}
