import { watch } from "node:fs/promises";
import type { Command } from "commander";
import { recompress } from "../index-folder.ts";
import { type CommandContext, integer, openModel, settingsOf, withRate } from "./context.ts";
import { indexWithProgress, sizesOf, stages, summaryOf } from "./source.ts";

interface Flags {
  readonly pack: string;
  readonly config?: string;
  readonly rate?: string;
  readonly watch?: boolean;
  readonly dryRun?: boolean;
  readonly recompress?: boolean;
  readonly json?: boolean;
}

export function addIndex(program: Command, context: CommandContext): void {
  program
    .command("index")
    .summary("files and folders into a pack, incrementally")
    .description("Brings a pack in step with files and folders: md, txt, html, csv, tsv, json, jsonl, pdf, docx, xlsx.")
    .argument("[path...]", "files and folders")
    .option("--pack <dir>", "directory of the pack", ".clara")
    .option("--config <file>", "settings (default: rag_config.yaml, when it is here)")
    .option("--rate <n>", "tokens per memory token, 1 to 256")
    .option("--watch", "stay, and index again when a file changes")
    .option("--dry-run", "say what would be done, write nothing")
    .option("--recompress", "compress again from the text that the pack kept, for a new model or rate")
    .option("--json", "one JSON value on stdout")
    .addHelpText(
      "after",
      "\nExamples:\n  index docs\n  index docs prices.csv --pack packs/shop --rate 8\n  index docs --dry-run\n  index --recompress --pack packs/shop",
    )
    .action(async (paths: string[], flags: Flags, command: Command) => {
      const { terminal, signal } = context;
      const rate = integer("--rate", flags.rate, { min: 1, max: 256 });
      if (paths.length === 0 && !flags.recompress)
        command.error("error: index needs a file or folder, as in: index docs");
      if (flags.watch && flags.json)
        command.error("error: --watch and --json: a command prints one JSON value; give one of them");
      const config = withRate((await settingsOf(flags.config)).config, rate);
      const model = await openModel(config, context);
      try {
        const options = { pack: flags.pack, model, rate: config.compression.rate };
        if (flags.recompress) {
          const show = stages(terminal);
          const counts = await recompress({ ...options, signal, onProgress: show.update }).finally(show.stop);
          if (flags.json) terminal.printJson({ pack: flags.pack, ...counts });
          else
            terminal.print(
              `${counts.passages} passages compressed again, ${counts.memoryTokens} memory tokens, ${sizesOf(counts)}, in ${flags.pack}`,
            );
          return;
        }
        const once = async () => {
          const report = await indexWithProgress(paths, { ...options, dryRun: flags.dryRun ?? false }, context);
          for (const { path, reason, failed } of report.problems)
            terminal.info(`${failed ? "failed" : "skipped"}: ${path}: ${reason}`);
          for (const { path, note } of report.notes) terminal.info(`note: ${path}: ${note}`);
          if (flags.json) terminal.printJson(report);
          else
            terminal.print(
              `${flags.dryRun ? "dry run: " : ""}${summaryOf(report)}${flags.dryRun ? "" : `\npack: ${flags.pack}`}`,
            );
        };
        if (flags.watch) await follow(paths, once, context);
        else await once();
      } finally {
        await model.dispose();
      }
    });
}

/** Runs `once` now and after each burst of changes, until the signal fires. */
async function follow(
  paths: readonly string[],
  once: () => Promise<void>,
  { terminal, signal }: CommandContext,
): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  let running: Promise<void> = Promise.resolve();
  const changed = () => {
    clearTimeout(timer);
    // Editors save in several steps: wait until they are done.
    timer = setTimeout(() => {
      running = running.then(once).catch(terminal.error);
    }, 300);
  };
  // Watching begins before the first run, so that what changes meanwhile is not missed.
  const watchers = paths.map(async (path) => {
    for await (const _ of watch(path, { recursive: true, signal })) changed();
  });
  running = once();
  const first = running.then(() => terminal.info("watching for changes; Ctrl-C ends"));
  await Promise.all([first, ...watchers]).catch((error: unknown) => {
    if (!signal.aborted) throw error;
  });
  clearTimeout(timer);
  await running;
}
