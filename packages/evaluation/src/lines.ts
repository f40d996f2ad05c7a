import { ClaraError } from "@clara/core";

export type Lines = Iterable<string> | AsyncIterable<string>;

/** Where in which file, for errors: "squad.jsonl line 12". */
export type Place = string;

/** Lines with their places, without blank lines, a byte order mark or carriage returns. */
export async function* numbered(
  lines: Lines,
  source: string,
): AsyncGenerator<{ line: string; number: number; place: Place }> {
  let number = 0;
  for await (const raw of lines) {
    number++;
    const line = (number === 1 ? raw.replace(/^\uFEFF/, "") : raw).replace(/[\r\n]+$/, "");
    if (line.trim() !== "") yield { line, number, place: `${source} line ${number}` };
  }
}

export function bad(place: Place, text: string, options?: ErrorOptions): never {
  throw new ClaraError("input", `${place}: ${text}`, options);
}

export function jsonObject(line: string, place: Place): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch (cause) {
    bad(place, `needs one JSON object on the line, got ${excerpt(line)} (${(cause as Error).message})`, { cause });
  }
  if (!isObject(value)) bad(place, `needs a JSON object, got ${excerpt(line)}`);
  return value;
}

/** A value as it stands in an error: short. */
export function excerpt(value: unknown): string {
  const text = typeof value === "string" ? value : (JSON.stringify(value) ?? String(value));
  return text.length > 60 ? `${text.slice(0, 60)}…` : text;
}

/** A string that is not blank; numbers are taken where files use them as ids. */
export function identifier(value: unknown, name: string, place: Place): string {
  if (typeof value === "number") return String(value);
  return nonEmpty(value, name, place);
}

export function nonEmpty(value: unknown, name: string, place: Place): string {
  if (typeof value !== "string" || value.trim() === "") {
    bad(
      place,
      `needs "${name}" as a text that is not empty, got ${value === undefined ? "none" : excerpt(JSON.stringify(value))}`,
    );
  }
  return value;
}

export function texts(value: unknown, name: string, place: Place): string[] {
  if (!Array.isArray(value)) bad(place, `needs "${name}" as a list of texts, got ${excerpt(value)}`);
  const at = value.findIndex((text) => typeof text !== "string");
  if (at >= 0) bad(place, `needs "${name}" as a list of texts, got ${excerpt(value[at])} at index ${at}`);
  return value as string[];
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
