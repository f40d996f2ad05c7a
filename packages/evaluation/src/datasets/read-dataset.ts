import { ClaraError } from "@clara/core";
import { bad, excerpt, isObject, jsonObject, type Lines, numbered, type Place } from "../lines.ts";
import type { EvaluationRecord } from "../records.ts";
import { type ChooseOptions, chooseDocuments } from "./choose-documents.ts";
import { type DatasetFormat, detectFormat, readers, unknownFormat } from "./detect-format.ts";
import type { Sourced } from "./sourced.ts";
import { isSquad, squadQuestions } from "./squad.ts";

export interface ReadDatasetOptions extends ChooseOptions {
  /** @default recognised from the first object of the file */
  readonly format?: DatasetFormat | undefined;
  /** Told of each record that cannot be used, which is then left out. @default the first one is thrown */
  readonly onBad?: ((problem: ClaraError) => void) | undefined;
  /** Told where an id comes again; such records are kept. */
  readonly onDuplicate?: ((text: string) => void) | undefined;
}

/**
 * Reads a set of questions in any of `datasetFormats`, as JSON Lines or as one JSON value. JSON Lines are read one at a time; one
 * value is held in memory as a whole.
 *
 * @param source the file's name, for errors
 * @throws ClaraError "input" naming the line, record or question that cannot be used, or when the format is not recognised.
 */
export async function* readDataset(
  lines: Lines,
  source: string,
  { format, onBad, onDuplicate, ...choose }: ReadDatasetOptions = {},
): AsyncGenerator<EvaluationRecord, void, undefined> {
  const places = new Map<string, Place>();
  for await (const { place, read } of questions(lines, source, format)) {
    let record: EvaluationRecord;
    try {
      record = chooseDocuments(read(), place, choose);
    } catch (error) {
      if (onBad === undefined || !(error instanceof ClaraError) || error.code !== "input") throw error;
      onBad(error);
      continue;
    }
    const earlier = places.get(record.id);
    if (earlier === undefined) places.set(record.id, place);
    else onDuplicate?.(`${place}: has the id "${excerpt(record.id)}", which ${earlier} has too; both are used`);
    yield record;
  }
}

interface Question {
  readonly place: Place;
  /** @throws ClaraError "input" when it cannot be used. */
  read(): Sourced;
}

async function* questions(
  lines: Lines,
  source: string,
  wanted: DatasetFormat | undefined,
): AsyncGenerator<Question, void, undefined> {
  let format = wanted;
  const question = (json: Record<string, unknown>, number: number, place: Place): Sourced => {
    format ??= detectFormat(json);
    if (format === undefined) bad(place, unknownFormat(json));
    if (format === "squad") bad(place, "is not SQuAD's layout: needs one object with all questions for the whole file");
    return readers[format](json, String(number), place);
  };
  let whole: string[] | undefined;
  let first = true;
  for await (const { line, number, place } of numbered(lines, source)) {
    if (whole) whole.push(line);
    else if (first && opensValue(line)) whole = [line];
    else yield { place, read: () => question(jsonObject(exactIds(line), place), number, place) };
    first = false;
  }
  if (whole === undefined) return;
  const value = parsed(exactIds(whole.join("\n")), source);
  if (isObject(value)) {
    const found = wanted ?? detectFormat(value);
    if (found === "squad") yield* squadQuestions(value, source);
    else yield { place: source, read: () => question(value, 1, source) };
  } else if (Array.isArray(value)) {
    for (const [index, item] of value.entries()) {
      const place = `${source} record ${index + 1}`;
      const read = (): Sourced =>
        isObject(item) ? question(item, index + 1, place) : bad(place, `needs a JSON object, got ${excerpt(item)}`);
      yield { place, read };
    }
  } else bad(source, unknownFormat(value));
}

/**
 * Whether the first line begins one value for the whole file: a list, SQuAD's object on one line, or an object over many lines,
 * whose first line ends where no JSON can end.
 */
function opensValue(line: string): boolean {
  const text = line.trim();
  if (text.startsWith("[")) return true;
  try {
    return isSquad(JSON.parse(text));
  } catch {
    return /^\{.*[[{,:]$/.test(text) || text === "{";
  }
}

/** Long numbers as ids (QED has them) would lose their last digits as numbers: they become texts. */
function exactIds(json: string): string {
  return json.replace(/("(?:_id|id|example_id)"\s*:\s*)(-?\d{16,})(?=\s*[,}])/g, '$1"$2"');
}

function parsed(text: string, source: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    bad(source, `needs JSON Lines, or one JSON value, got ${excerpt(text)} (${(cause as Error).message})`, { cause });
  }
}
