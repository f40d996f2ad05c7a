import { ClaraError } from "@clara/core";
import { type Command, Option } from "commander";
import type { LensTable } from "../model.ts";
import { oneLine } from "../terminal/index.ts";
import { type CommandContext, integer, openModel, settingsOf } from "./context.ts";
import { digits } from "./show.ts";

interface Flags {
  readonly query: string;
  readonly top: string;
  readonly table: LensTable;
  readonly config?: string;
  readonly json?: boolean;
}

export function addExplain(program: Command, context: CommandContext): void {
  program
    .command("explain")
    .summary("the words that a question's vectors are near to")
    .description(
      "Reads a question into its memory tokens, by which documents are chosen, and lists the words nearest to each: what the model looks for. Needs a CLaRa that import has made, as compression.model.",
    )
    .requiredOption("--query <question>", "what is asked")
    .option("--top <n>", "words for each memory token, 1 to 100", "8")
    .addOption(
      new Option("--table <name>", "near to which vectors: of words as they are written (output) or read (input)")
        .choices(["output", "input"])
        .default("output"),
    )
    .option("--config <file>", "settings (default: rag_config.yaml, when it is here)")
    .option("--json", "one JSON value on stdout")
    .addHelpText(
      "after",
      '\nExamples:\n  explain --query "Which city hosted the games?"\n  explain --query "Who wrote it?" --top 3 --json',
    )
    .action(async ({ query, top, table, ...flags }: Flags) => {
      const { terminal, signal } = context;
      if (query.trim() === "") throw new ClaraError("input", "--query: is empty; ask something");
      const count = integer("--top", top, { min: 1, max: 100 })!;
      const { config } = await settingsOf(flags.config);
      const model = await openModel(config, context);
      try {
        const { lens } = model;
        if (!lens) {
          const why = "its vectors are means of states, which no table has words for";
          throw new ClaraError(
            "unsupported",
            `explain: ${model.id} cannot be read so: ${why}; set compression.model to a CLaRa that import has made`,
          );
        }
        const { states } = await model.compressor.query(query, { signal });
        const near = lens.near(states, { top: count, table });
        if (flags.json) {
          const tokens = near.map((words, memory) => ({
            memory,
            words: words.map(({ id, word, score }) => ({ id, word, score: digits(score) })),
          }));
          terminal.printJson({
            query,
            model: model.id,
            adapter: lens.ownAdapter ? "query" : "compressor",
            table,
            tokens,
          });
          return;
        }
        for (const [i, words] of near.entries()) {
          const list = words.map(({ word, score }) => `${oneLine(JSON.stringify(word))} ${score.toFixed(2)}`);
          terminal.print(`${terminal.colors.bold(`<MEM${i}>`)}  ${list.join("  ")}`);
        }
        if (!lens.ownAdapter) {
          terminal.info(
            "the model has no adapter for questions: this one was read with the compressor's, as a document",
          );
        }
      } finally {
        await model.dispose();
      }
    });
}
