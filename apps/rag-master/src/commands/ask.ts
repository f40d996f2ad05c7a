import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Command } from "commander";
import { type Answer, answer, checkQuestion } from "../answer.ts";
import { type CommandContext, contextOf, openModel, settingsOf } from "./context.ts";
import { answerJson, showAnswer } from "./show.ts";
import { openSource } from "./source.ts";

interface Flags {
  readonly pack?: string;
  readonly docs?: string[];
  readonly config?: string;
  readonly context?: string;
  readonly json?: boolean;
}

export function addAsk(program: Command, context: CommandContext): void {
  program
    .command("ask")
    .summary("one question, one cited answer")
    .description("Answers a question with a quote from the documents, or says why it does not.")
    .argument("<question>")
    .option("--pack <dir>", 'directory of the pack (default: ".clara")')
    .option("--docs <path...>", "files and folders to answer from, indexed first and kept in the cache")
    .option("--config <file>", "settings (default: rag_config.yaml, when it is here)")
    .option("--context <kind>", "what is read: mixed (windows that the memory points at), text, memory")
    .option("--json", "one JSON value on stdout")
    .addHelpText(
      "after",
      '\nExamples:\n  ask "How long can I return a jacket?" --docs examples/shop\n  ask "What does the tent weigh?" --pack packs/shop --json\n  ask "Who repairs stoves?" --context text',
    )
    .action(async (question: string, flags: Flags) => {
      const { terminal, signal } = context;
      checkQuestion(question);
      const { config } = await settingsOf(flags.config);
      const kind = contextOf(flags.context, config);
      const model = await openModel(config, context);
      try {
        const { corpus, directory } = await openSource(flags, model, config.compression.rate, context);
        const given = await answer(question, corpus, model, config, {
          context: kind,
          signal,
          onToken: terminal.stream,
        });
        await keepRecord(directory, given);
        if (flags.json) terminal.printJson(answerJson(given));
        else showAnswer(given, config, terminal);
      } finally {
        await model.dispose();
      }
    });
}

/** Records lie beside the pack's files. An answer is worth more than its record: a full or read-only disk does not stop it. */
async function keepRecord(directory: string, given: Answer): Promise<void> {
  try {
    await mkdir(join(directory, "records"), { recursive: true });
    await writeFile(join(directory, "records", `${given.record}.json`), `${JSON.stringify(given, undefined, 2)}\n`);
  } catch {
    // See above.
  }
}
