import { jsonErrorOffset } from "./json-position.ts";
import { lineOf, oneLine } from "./lines.ts";
import { count, recordLine } from "./table.ts";
import type { Block, Extracted, Skipped } from "./types.ts";

type Json = string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json };
type Entry = readonly [name: string, value: string];

/**
 * One record per line: each element of a list; of an object first its plain values together, then each of its parts,
 * a list's elements one by one. Nested names are joined: `size.width: 4`. Numbers stay as they are written.
 */
export function jsonText(text: string): Extracted | Skipped {
  let value: Json;
  try {
    value = parse(text);
  } catch (error) {
    if (error instanceof RangeError) return { skip: "JSON is nested too deeply" };
    const offset = jsonErrorOffset(text);
    const column = offset - Math.max(text.lastIndexOf("\n", offset - 1), text.lastIndexOf("\r", offset - 1));
    return { skip: `broken JSON at line ${lineOf(text, offset)}, column ${column}: ${(error as Error).message}` };
  }
  try {
    const title = isObject(value) ? (value.title ?? value.name) : undefined;
    return { ...fromRecords(records(value)), title: typeof title === "string" ? oneLine(title) : undefined };
  } catch (error) {
    if (error instanceof RangeError) return { skip: "JSON is nested too deeply" };
    throw error;
  }
}

/** JSON Lines: line N of the text is line N of the file; a line that is not JSON is left blank, with a note. */
export function jsonLinesText(text: string): Extracted | Skipped {
  const bad: number[] = [];
  const lines = text.split(/\r\n|\n|\r/).map((line, i) => {
    if (line.trim() === "") return "";
    try {
      return valueLine(parse(line));
    } catch {
      bad.push(i + 1);
      return "";
    }
  });
  const some = bad.length > 10 ? `${bad.slice(0, 10).join(", ")}, …` : bad.join(", ");
  const note = `${count(bad.length, "line is", "lines are")} not JSON and left out: ${some}`;
  if (bad.length > 0 && lines.every((line) => line === "")) return { skip: `no line is JSON (first: line ${bad[0]})` };
  return { ...fromRecords(lines.map((line) => ({ line, heading: [] }))), notes: bad.length > 0 ? [note] : [] };
}

interface RecordText {
  readonly line: string;
  readonly heading: readonly string[];
}

function fromRecords(all: readonly RecordText[]): Extracted {
  const blocks: Block[] = [];
  let start = 0;
  for (const { line, heading } of all) {
    if (line !== "") blocks.push({ start, end: start + line.length, heading, kind: "record" });
    start += line.length + 1;
  }
  return { text: all.map(({ line }) => line).join("\n"), blocks, metadata: { records: blocks.length } };
}

function records(value: Json): RecordText[] {
  if (isList(value)) return value.map((element) => ({ line: valueLine(element), heading: [] }));
  if (!isObject(value)) return [{ line: valueLine(value), heading: [] }];
  const entries = Object.entries(value);
  const plain = entries.filter(([, part]) => isPlain(part)).flatMap(([name, part]) => flatten(part, name));
  const parts = entries.filter(([, part]) => !isPlain(part)).flatMap(([name, part]) => partRecords(name, part));
  return [{ line: recordLine(plain), heading: [] }, ...parts].filter(({ line }) => line !== "");
}

function partRecords(name: string, part: Json): RecordText[] {
  const heading = [oneLine(name)];
  if (isList(part)) return part.map((element) => ({ line: valueLine(element), heading }));
  const inner = Object.entries(part as { readonly [key: string]: Json });
  // An object of objects is a list whose elements have names.
  if (inner.length > 1 && inner.every(([, element]) => isObject(element))) {
    return inner.map(([key, element]) => ({ line: recordLine(flatten(element, key)), heading }));
  }
  return [{ line: recordLine(flatten(part, name)), heading: [] }];
}

function valueLine(value: Json): string {
  return recordLine(flatten(value, ""));
}

function flatten(value: Json, name: string): Entry[] {
  if (isPlain(value))
    return [[name, isList(value) ? value.map(plainText).filter(Boolean).join(", ") : plainText(value)]];
  const entries = isList(value) ? value.map((part, i) => [`${i + 1}`, part] as const) : Object.entries(value as object);
  return entries.flatMap(([key, part]) => flatten(part as Json, name === "" ? key : `${name}.${key}`));
}

/** A plain value, or a list of nothing but plain values: one `name: value`. */
function isPlain(value: Json): boolean {
  return isList(value) ? value.every((element) => !isList(element) && !isObject(element)) : !isObject(value);
}

const isList = (value: Json): value is readonly Json[] => Array.isArray(value);
const isObject = (value: Json): value is { readonly [key: string]: Json } =>
  typeof value === "object" && value !== null && !Array.isArray(value);
const plainText = (value: Json): string => (value === null ? "" : oneLine(String(value)));

/** `12.50` is a price and `00012345678901234567` an id: a number's digits are kept, not its value. */
function parse(text: string): Json {
  return JSON.parse(text, (_key: string, value: unknown, context?: { source?: string }) =>
    typeof value === "number" ? (context?.source ?? value) : value,
  ) as Json;
}
