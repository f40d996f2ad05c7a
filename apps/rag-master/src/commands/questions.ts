import { ClaraError } from "@clara/core";
import {
  type DatasetFormat,
  type DatasetSetting,
  datasetFormats,
  type EvaluationRecord,
  readDataset,
} from "@clara/evaluation";
import { type Command, Option } from "commander";
import type { Terminal } from "../terminal/index.ts";
import { integer } from "./context.ts";
import { linesOf } from "./lines.ts";

/** Flags of commands that read a set of questions. */
export interface QuestionFlags {
  readonly format?: string;
  readonly setting?: string;
  readonly documents?: string;
  readonly limit?: string;
  readonly skipBad?: boolean;
}

export function addQuestionFlags(command: Command): Command {
  return command
    .addOption(
      new Option("--format <name>", "the set's format (default: recognised from its content)").choices(datasetFormats),
    )
    .addOption(
      new Option(
        "--setting <name>",
        "oracle: the gold documents are given; normal: those nearest by words (default: as the file has it)",
      ).choices(["oracle", "normal"]),
    )
    .option("--documents <n>", "documents of a question, filled up from its article or its candidates")
    .option("--limit <n>", "only the first n records")
    .option("--skip-bad", "leave out records that cannot be used, and say which");
}

export interface Questions {
  readonly records: readonly EvaluationRecord[];
  /** Records that could not be used. */
  readonly skipped: number;
  /** Records whose id an earlier one has too. */
  readonly duplicates: number;
}

/** Problems of one kind that are said one by one. */
const said = 5;

/**
 * Reads the questions of a file; says what is left out and which ids come twice.
 *
 * @throws ClaraError "input" when a record cannot be used and `--skip-bad` is not given, or none is left.
 */
export async function readQuestions(file: string, flags: QuestionFlags, terminal: Terminal): Promise<Questions> {
  const limit = integer("--limit", flags.limit, { min: 1 }) ?? Number.POSITIVE_INFINITY;
  const documents = integer("--documents", flags.documents, { min: 1 });
  const bad: string[] = [];
  const duplicates: string[] = [];
  const records: EvaluationRecord[] = [];
  for await (const record of readDataset(linesOf(file), file, {
    // Both are of the choices: the command line has checked it.
    format: flags.format as DatasetFormat | undefined,
    setting: flags.setting as DatasetSetting | undefined,
    documents,
    onBad(problem) {
      if (!flags.skipBad)
        throw new ClaraError("input", `${problem.message}; --skip-bad leaves such records out`, { cause: problem });
      bad.push(problem.message);
    },
    onDuplicate: (text) => duplicates.push(text),
  })) {
    records.push(record);
    if (records.length >= limit) break;
  }
  if (records.length === 0) {
    const why = bad.length > 0 ? `; ${bad.length} cannot be used, the first: ${bad[0]}` : "";
    throw new ClaraError("input", `${file}: holds no records${why}`);
  }
  for (const text of bad.slice(0, said)) terminal.warn(`left out: ${text}`);
  for (const text of duplicates.slice(0, said)) terminal.warn(text);
  const more = Math.max(0, bad.length - said) + Math.max(0, duplicates.length - said);
  if (more > 0) terminal.warn(`and ${more} more: ${bad.length} records left out, ${duplicates.length} ids twice`);
  return { records, skipped: bad.length, duplicates: duplicates.length };
}
