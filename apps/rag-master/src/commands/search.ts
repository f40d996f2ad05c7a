import { ClaraError } from "@clara/core";
import type { Command } from "commander";
import { lineOf } from "../loaders/index.ts";
import { searchCorpus, searchName } from "../search-corpus.ts";
import { cutMiddle, oneLine } from "../terminal/index.ts";
import { type CommandContext, integer, openModel, settingsOf } from "./context.ts";
import { digits } from "./show.ts";
import { openSource } from "./source.ts";

interface Flags {
  readonly pack?: string;
  readonly docs?: string[];
  readonly config?: string;
  readonly k: string;
  readonly retriever: string;
  readonly json?: boolean;
}

export function addSearch(program: Command, context: CommandContext): void {
  program
    .command("search")
    .summary("hits only")
    .description("Lists the passages that a question finds, best first.")
    .argument("<query>")
    .option("--pack <dir>", 'directory of the pack (default: ".clara")')
    .option("--docs <path...>", "files and folders to search, indexed first and kept in the cache")
    .option("--config <file>", "settings (default: rag_config.yaml, when it is here)")
    .option("--k <n>", "hits wanted, 1 to 1000", "5")
    .option("--retriever <name>", "bm25, dense, memory, hybrid, or reranked", "reranked")
    .option("--json", "one JSON value on stdout")
    .addHelpText(
      "after",
      '\nExamples:\n  search "waterproof jacket" --docs examples/shop\n  search "TM-240" --retriever bm25 --k 10 --json',
    )
    .action(async (query: string, flags: Flags) => {
      const { terminal } = context;
      if (query.trim() === "")
        throw new ClaraError("input", 'the query is empty; search for something, as in: search "waterproof jacket"');
      const k = integer("--k", flags.k, { min: 1, max: 1000 })!;
      const name = searchName(flags.retriever);
      const { config } = await settingsOf(flags.config);
      const model = await openModel(config, context);
      try {
        const { corpus } = await openSource(flags, model, config.compression.rate, context);
        const ranked = await searchCorpus(name, query, corpus, model, config, k);
        const hits = ranked.slice(0, k).map(({ id, score, from }, index) => {
          const { document, text, start } = corpus.passage(id);
          return {
            passage: id,
            document,
            score: digits(score),
            rank: index + 1,
            from: from ?? {},
            text,
            line: lineOf(corpus.document(document).text, start),
          };
        });
        if (flags.json) terminal.printJson({ query, hits: hits.map(({ line: _, ...hit }) => hit) });
        else if (hits.length === 0) terminal.print("nothing found");
        else {
          for (const { document, line, score, rank, text } of hits) {
            terminal.print(
              `${terminal.colors.bold(String(rank))}  ${score.toFixed(3)}  ${terminal.colors.cyan(`${oneLine(document)}:${line}`)}  ${cutMiddle(oneLine(text), 100)}`,
            );
          }
        }
      } finally {
        await model.dispose();
      }
    });
}
