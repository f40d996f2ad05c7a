import { relative } from "node:path";
import type { Command } from "commander";
import { answer } from "../answer.ts";
import { type CommandContext, openModel, settingsOf } from "./context.ts";
import { showAnswer } from "./show.ts";
import { openSource } from "./source.ts";

const questions = [
  "How long do I have to return a jacket?",
  "When does the Harbour Street shop open on Saturdays?",
  "What is the R-value of the Moss mat?",
  "How fast does the Kettlefen Duo boil a litre of water?",
  "Who won the football world cup in 1998?",
];

/** What `npm start` shows: the bundled documents indexed, questions answered, what to try next. */
export function addTour(program: Command, context: CommandContext): void {
  program
    .command("tour")
    .summary("index the sample documents and answer sample questions")
    .description(
      "Indexes the sample documents of an invented shop and answers sample questions about them, one of them unanswerable.",
    )
    .argument("<folder>", "the sample documents")
    .option("--config <file>", "settings (default: rag_config.yaml, when it is here)")
    .addHelpText("after", "\nExamples:\n  tour examples/shop")
    .action(async (folder: string, flags: { config?: string }) => {
      const { terminal, signal } = context;
      const { config } = await settingsOf(flags.config);
      const model = await openModel(config, context);
      try {
        terminal.print(
          `${terminal.colors.bold("Clara")} answers from documents, by quoting them. Here: ${relative(process.cwd(), folder) || "."}, an invented shop.\n`,
        );
        const { corpus } = await openSource({ docs: [folder] }, model, config.compression.rate, context);
        for (const question of questions) {
          terminal.print(`\n${terminal.colors.cyan("?")} ${question}`);
          showAnswer(
            await answer(question, corpus, model, config, {
              signal,
              onToken: terminal.stream,
            }),
            config,
            terminal,
          );
        }
      } finally {
        await model.dispose();
      }
      terminal.print(`
Now your own files:
  npm start -- ask "your question" --docs path/to/folder
  npm start -- index path/to/folder          then: npm start -- ask "your question"
  npm start -- search "some words"
  npm start -- --help
`);
    });
}
