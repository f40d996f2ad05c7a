import { ClaraError, throwIfAborted } from "@clara/core";
import type { Stage } from "../recipe.ts";
import { type ClaraRecord, placedDocuments, recordName } from "./clara-record.ts";
import { findAnswer } from "./find-answer.ts";
import { parseRecord, RecordProblem } from "./parse-record.ts";

export interface ReadRecordsOptions {
  readonly stage: Stage;
  /** Named in errors. @default "records" */
  readonly source?: string;
  /** Documents that the prompt has places for. @default 1 in stage `compression`, else 5 */
  readonly documents?: number;
  /** Whether a bad line is an error or is left out. @default "refuse" */
  readonly onBad?: "refuse" | "skip";
  /** Whether answers that no document holds, word for word, are reported. @default false */
  readonly spans?: boolean;
  /** Characters of the longest line. @default 16,000,000 */
  readonly longestLine?: number;
  readonly signal?: AbortSignal;
}

export interface LineReport {
  /** From 1. */
  readonly line: number;
  readonly problem: string;
}

export interface RecordsRead {
  readonly records: readonly ClaraRecord[];
  /** Lines that were left out. */
  readonly skipped: readonly LineReport[];
  /** Records that were kept, and what is odd about them. */
  readonly warnings: readonly LineReport[];
}

/**
 * Reads a file of one stage: one JSON object a line, blank lines do not count. A record is used whole or not at all.
 *
 * @throws ClaraError "input" with the line's number for the first bad line unless they are skipped, and when none is good;
 * "aborted".
 */
export async function readRecords(
  lines: Iterable<string> | AsyncIterable<string>,
  {
    stage,
    source = "records",
    documents = placedDocuments[stage],
    onBad = "refuse",
    spans = false,
    longestLine = 16_000_000,
    signal,
  }: ReadRecordsOptions,
): Promise<RecordsRead> {
  const records: ClaraRecord[] = [];
  const skipped: LineReport[] = [];
  const warnings: LineReport[] = [];
  const lineOfId = new Map<string, number>();
  let line = 0;
  for await (const raw of lines) {
    line++;
    if (line % 256 === 0) throwIfAborted(signal, "readRecords");
    const text = line === 1 ? raw.replace(/^\uFEFF/, "") : raw;
    if (text.length <= longestLine && text.trim() === "") continue;
    try {
      if (text.length > longestLine) {
        throw new RecordProblem(`has ${text.length} characters, more than the longest line of ${longestLine}`);
      }
      const record = parseRecord(parseJson(text), { stage, line, documents });
      const before = record.id === undefined ? undefined : lineOfId.get(record.id);
      if (before !== undefined) throw new RecordProblem(`has the id "${record.id}" of line ${before}`);
      if (record.id !== undefined) lineOfId.set(record.id, line);
      records.push(record);
      if (spans) warnings.push(...missing(record).map((problem) => ({ line, problem })));
    } catch (cause) {
      if (!(cause instanceof RecordProblem)) throw cause;
      if (onBad === "refuse") {
        throw new ClaraError("input", `readRecords: ${source} line ${line} ${cause.message}; correct or skip it`, {
          cause,
        });
      }
      skipped.push({ line, problem: cause.message });
    }
  }
  throwIfAborted(signal, "readRecords");
  if (records.length === 0) {
    const first = skipped[0] ? `; line ${skipped[0].line} ${skipped[0].problem}` : "";
    throw new ClaraError("input", `readRecords: ${source} has no good record in ${line} lines${first}`);
  }
  return { records, skipped, warnings };
}

/** Lines of a file's bytes, decoded one by one: files may be larger than the longest string. */
export function* linesOf(bytes: Uint8Array): Generator<string> {
  const decoder = new TextDecoder();
  for (let start = 0; start < bytes.length; ) {
    const found = bytes.indexOf(10, start);
    const end = found < 0 ? bytes.length : found;
    yield decoder.decode(bytes.subarray(start, end)).replace(/\r$/, "");
    start = end + 1;
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new RecordProblem(`is no JSON: ${(cause as Error).message.slice(0, 120)}`, { cause });
  }
}

function missing(record: ClaraRecord): string[] {
  const answers =
    record.kind === "questions"
      ? record.pairs.map(({ answer }) => answer)
      : record.kind === "answer"
        ? [record.answer]
        : [];
  return answers
    .filter((answer) => !record.documents.some((document) => findAnswer(document, answer)))
    .map((answer) => `no document of ${recordName(record)} holds the answer ${JSON.stringify(answer.slice(0, 60))}`);
}
