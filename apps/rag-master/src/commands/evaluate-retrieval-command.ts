import { readBeir } from "@clara/evaluation";
import type { Command } from "commander";
import { corpusOfBeir, evaluateRetrieval } from "../evaluate-retrieval.ts";
import { searchName } from "../search-corpus.ts";
import { type CommandContext, integer, openModel, settingsOf } from "./context.ts";
import { linesOf, plainOrGzipped } from "./lines.ts";
import { stages } from "./source.ts";

interface Flags {
  readonly titles: boolean;
  readonly retriever: string;
  readonly k: string;
  readonly limit?: string;
  readonly config?: string;
  readonly json?: boolean;
}

export function addEvaluateRetrieval(program: Command, context: CommandContext): void {
  program
    .command("evaluate-retrieval")
    .summary("search quality on a BEIR folder")
    .description(
      "Measures search on a folder with corpus.jsonl, queries.jsonl and qrels/test.tsv, each gzipped or not.",
    )
    .argument("<folder>")
    .option("--retriever <name>", "bm25, dense, memory, hybrid, or reranked", "hybrid")
    .option("--no-titles", "leave the documents' titles out")
    .option("--k <n>", "hits per question, 1 to 1000", "100")
    .option("--limit <n>", "only the first n questions")
    .option("--config <file>", "settings (default: rag_config.yaml, when it is here)")
    .option("--json", "one JSON value on stdout")
    .addHelpText(
      "after",
      "\nExamples:\n  evaluate-retrieval beir/scifact\n  evaluate-retrieval beir/scifact --retriever bm25 --json",
    )
    .action(async (folder: string, flags: Flags) => {
      const { terminal, signal } = context;
      const name = searchName(flags.retriever);
      const k = integer("--k", flags.k, { min: 1, max: 1000 })!;
      const limit = integer("--limit", flags.limit, { min: 1 });
      const { config } = await settingsOf(flags.config);
      const [corpusFile, queriesFile, qrelsFile] = ["corpus.jsonl", "queries.jsonl", "qrels/test.tsv"].map((file) =>
        plainOrGzipped(`${folder}/${file}`),
      ) as [string, string, string];
      const whole = await readBeir({
        corpus: linesOf(corpusFile),
        queries: linesOf(queriesFile),
        qrels: linesOf(qrelsFile),
        names: { corpus: corpusFile, queries: queriesFile, qrels: qrelsFile },
      });
      const set = {
        ...whole,
        corpus: flags.titles ? whole.corpus : whole.corpus.map((document) => ({ ...document, title: "" })),
        queries: limit === undefined ? whole.queries : whole.queries.slice(0, limit),
      };
      const model = await openModel(config, context);
      const show = stages(terminal);
      try {
        const corpus = await corpusOfBeir(set, model, config.compression.rate, {
          signal,
          onProgress: (done, total) => show.update("compress", done, total),
        });
        const summary = await evaluateRetrieval(name, set, corpus, model, config, {
          k,
          signal,
          onProgress: (done, total) => show.update("searching", done, total),
        });
        show.stop();
        if (flags.json) terminal.printJson(summary);
        else
          terminal.print(
            `${Object.entries(summary)
              .map(([key, value]) => `${key.padEnd(10)} ${JSON.stringify(value)}`)
              .join("\n")}`,
          );
      } finally {
        show.stop();
        await model.dispose();
      }
    });
}
