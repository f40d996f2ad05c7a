import { type FileHandle, open } from "node:fs/promises";
import { ClaraError } from "@clara/core";
import type { Command } from "commander";
import { usualContext } from "../answer.ts";
import { type Comparison, compareRuns, readEarlierRun } from "../compare-runs.ts";
import { type EvaluationSummary, evaluate, type Outcome, summarize } from "../evaluate.ts";
import { type CommandContext, contextOf, integer, openModel, settingsOf, withRate } from "./context.ts";
import { linesOf } from "./lines.ts";
import { addQuestionFlags, type QuestionFlags, readQuestions } from "./questions.ts";
import { openSource, stages } from "./source.ts";

interface Flags extends QuestionFlags {
  readonly context?: string;
  readonly rate?: string;
  readonly topK?: string;
  readonly predictions?: string;
  readonly compare?: string;
  readonly pack?: string;
  readonly config?: string;
  readonly json?: boolean;
}

export function addEvaluate(program: Command, context: CommandContext): void {
  const command = program
    .command("evaluate")
    .summary("answer quality on question-answer records")
    .description(
      "Measures answers, refusals and citations on questions with answers: JSON Lines with question, answers, docs, pos_index, answerable, or a file of HotpotQA, MuSiQue, 2WikiMultiHopQA, Natural Questions or SQuAD.",
    )
    .argument("<data>", "questions, gzipped or not")
    .option("--context <kind>", "memory, text or mixed")
    .option("--rate <n>", "tokens per memory token, 1 to 256")
    .option("--top-k <n>", "passages that an answer may use, 1 to 37")
    .option("--predictions <file>", "write each record's prediction as JSON Lines")
    .option("--compare <file>", "compare with the predictions of an earlier run, pair by pair")
    .option("--pack <dir>", "search this pack for records without docs")
    .option("--config <file>", "settings (default: rag_config.yaml, when it is here)")
    .option("--json", "one JSON value on stdout")
    .addHelpText(
      "after",
      "\nExamples:\n  evaluate examples/shop-questions.jsonl --pack .clara\n  evaluate data.jsonl.gz --context text --limit 300 --json\n  evaluate dev-v1.1.json --documents 5 --predictions mixed.jsonl",
    )
    .action(async (file: string, flags: Flags) => {
      const { terminal, signal } = context;
      const topK = integer("--top-k", flags.topK, { min: 1, max: 37 });
      const settings = withRate(
        (await settingsOf(flags.config)).config,
        integer("--rate", flags.rate, { min: 1, max: 256 }),
      );
      const config = topK === undefined ? settings : { ...settings, reranking: { ...settings.reranking, topK } };
      const asked = contextOf(flags.context);
      const { records, skipped, duplicates } = await readQuestions(file, flags, terminal);
      const { compare } = flags;
      const earlier = compare === undefined ? undefined : await readEarlierRun(linesOf(compare), compare, records);
      const model = await openModel(config, context);
      const kind = asked ?? usualContext(config, model);
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
        const outcomes: Outcome[] = [];
        for await (const outcome of evaluate(records, model, config, {
          context: kind,
          signal,
          ...(source && { corpus: source.corpus }),
        })) {
          outcomes.push(outcome);
          // Not before an answer is there: opening empties the file of an earlier run.
          if (flags.predictions !== undefined) predictions ??= await openForWriting(flags.predictions);
          await predictions?.write(`${JSON.stringify(predictionOf(outcome))}\n`);
          show.update("answering", outcomes.length, records.length);
        }
        show.stop();
        const summary = summarize(outcomes, { context: kind, rate: config.compression.rate });
        const comparison = earlier === undefined ? null : compareRuns(outcomes, earlier);
        if (flags.json) terminal.printJson({ ...summary, data: { skipped, duplicates }, comparison });
        else for (const line of lines(summary, comparison)) terminal.print(line);
      } finally {
        show.stop();
        await predictions?.close();
        await model.dispose();
      }
    });
  addQuestionFlags(command);
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

/** One line for each measure; the calibration's bins below each other. */
function lines({ calibration, ...summary }: EvaluationSummary, comparison: Comparison | null): string[] {
  const bins = calibration.bins.map(
    ({ low, high, n, confidence, accuracy }) =>
      `  ${low.toFixed(2)}–${high.toFixed(2)}  ${String(n).padStart(5)} answers  confidence ${confidence.toFixed(2)}  right ${accuracy.toFixed(2)}`,
  );
  const differences = comparison === null ? [] : [`compared   ${JSON.stringify(comparison)}`];
  return [
    ...Object.entries(summary).map(([name, value]) => `${name.padEnd(10)} ${JSON.stringify(value)}`),
    ...differences,
    `${"calibration".padEnd(10)} expected error ${calibration.ece ?? "unknown"}; confidence against how many were right:`,
    ...bins,
  ];
}
