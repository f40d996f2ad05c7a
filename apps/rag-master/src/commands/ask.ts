import type { Command } from "commander";
import { answer, checkQuestion } from "../answer.ts";
import { keepRecord } from "../keep-record.ts";
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
      const kind = contextOf(flags.context);
      const model = await openModel(config, context);
      try {
        const { corpus, directory } = await openSource(flags, model, config.compression.rate, context);
        const given = await answer(question, corpus, model, config, {
          ...(kind && { context: kind }),
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
