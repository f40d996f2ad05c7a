import { type FileHandle, open } from "node:fs/promises";
import { ClaraError } from "@clara/core";
import { type EvaluationRecord, readRecords } from "@clara/evaluation";
import type { Command } from "commander";
import { evaluate, type Outcome, summarize } from "../evaluate.ts";
import { type CommandContext, contextOf, integer, openModel, settingsOf, withRate } from "./context.ts";
import { linesOf } from "./lines.ts";
import { openSource, stages } from "./source.ts";

interface Flags {
  readonly context?: string;
  readonly rate?: string;
  readonly topK?: string;
  readonly limit?: string;
  readonly predictions?: string;
  readonly pack?: string;
  readonly config?: string;
  readonly json?: boolean;
}

export function addEvaluate(program: Command, context: CommandContext): void {
  program
    .command("evaluate")
    .summary("answer quality on question-answer records")
    .description(
      "Measures answers, refusals and citations on JSON Lines records: question, answers, docs, pos_index, answerable.",
    )
    .argument("<data.jsonl>", "records, gzipped or not")
    .option("--context <kind>", "memory, text or mixed")
    .option("--rate <n>", "tokens per memory token, 1 to 256")
    .option("--top-k <n>", "passages that an answer may use, 1 to 37")
    .option("--limit <n>", "only the first n records")
    .option("--predictions <file>", "write each record's prediction as JSON Lines")
    .option("--pack <dir>", "search this pack for records without docs")
    .option("--config <file>", "settings (default: rag_config.yaml, when it is here)")
    .option("--json", "one JSON value on stdout")
    .addHelpText(
      "after",
      "\nExamples:\n  evaluate examples/shop-questions.jsonl --pack .clara\n  evaluate data.jsonl.gz --context text --limit 300 --json",
    )
    .action(async (file: string, flags: Flags) => {
      const { terminal, signal } = context;
      const limit = integer("--limit", flags.limit, { min: 1 }) ?? Number.POSITIVE_INFINITY;
      const topK = integer("--top-k", flags.topK, { min: 1, max: 37 });
      const settings = withRate(
        (await settingsOf(flags.config)).config,
        integer("--rate", flags.rate, { min: 1, max: 256 }),
      );
      const config = topK === undefined ? settings : { ...settings, reranking: { ...settings.reranking, topK } };
      const kind = contextOf(flags.context, config);
      const records = await take(readRecords(linesOf(file), file), limit);
      if (records.length === 0) throw new ClaraError("input", `${file}: holds no records`);
      const model = await openModel(config, context);
      const show = stages(terminal);
      let predictions: FileHandle | undefined;
      try {
        const needsPack = records.some(({ docs }) => docs === undefined);
        const source = needsPack
          ? await openSource(
              { ...(flags.pack !== undefined && { pack: flags.pack }) },
              model,
              config.compression.rate,
              context,
            )
          : undefined;
        // Not before all else is there: opening empties the file of an earlier run.
        if (flags.predictions !== undefined) predictions = await openForWriting(flags.predictions);
        const outcomes: Outcome[] = [];
        for await (const outcome of evaluate(records, model, config, {
          context: kind,
          signal,
          ...(source && { corpus: source.corpus }),
        })) {
          outcomes.push(outcome);
          await predictions?.write(`${JSON.stringify(predictionOf(outcome))}\n`);
          show.update("answering", outcomes.length, records.length);
        }
        show.stop();
        const summary = summarize(outcomes, { context: kind, rate: config.compression.rate });
        if (flags.json) terminal.printJson(summary);
        else
          terminal.print(
            `${Object.entries(summary)
              .map(([name, value]) => `${name.padEnd(10)} ${JSON.stringify(value)}`)
              .join("\n")}`,
          );
      } finally {
        show.stop();
        await predictions?.close();
        await model.dispose();
      }
    });
}

async function openForWriting(path: string): Promise<FileHandle> {
  return await open(path, "w").catch((cause: Error) => {
    throw new ClaraError("io", `--predictions: ${path} cannot be written (${cause.message}); name another file`, {
      cause,
    });
  });
}

function predictionOf({ record, answer, ranked }: Outcome): object {
  const { id, question, answers, answerable } = record;
  const { draft, refused, reason, confidence, citations, decisions, hits } = answer;
  return {
    id,
    question,
    answers,
    answerable,
    prediction: answer.answer ?? "",
    draft,
    refused,
    reason,
    confidence,
    topk_idx: ranked,
    scores: hits.map(({ score }) => score),
    citations,
    decisions,
  };
}

async function take(records: AsyncIterable<EvaluationRecord>, limit: number): Promise<EvaluationRecord[]> {
  const taken: EvaluationRecord[] = [];
  for await (const record of records) {
    taken.push(record);
    if (taken.length >= limit) break;
  }
  return taken;
}
