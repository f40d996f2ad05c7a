import { ClaraError } from "@clara/core";

/** Values as JSON Lines, a line at a time. */
export function* jsonLines(values: Iterable<unknown>): Generator<Uint8Array> {
  const encoder = new TextEncoder();
  // JSON.stringify escapes lone surrogates, so that UTF-8 keeps every string exactly.
  for (const value of values) yield encoder.encode(`${JSON.stringify(value)}\n`);
}

/**
 * Reads what `jsonLines` wrote.
 *
 * @param parse checks one value, and says what is wrong with it by throwing an error
 * @throws ClaraError "pack" naming file and line.
 */
export function parseLines<T>(bytes: Uint8Array, path: string, todo: string, parse: (value: unknown) => T): T[] {
  const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  const values: T[] = [];
  for (let start = 0, number = 1; start < bytes.length; number++) {
    const found = bytes.indexOf(10, start);
    const end = found < 0 ? bytes.length : found;
    try {
      values.push(parse(JSON.parse(decoder.decode(bytes.subarray(start, end)))));
    } catch (cause) {
      throw new ClaraError("pack", `${path} line ${number}: ${(cause as Error).message}; ${todo}`, { cause });
    }
    start = end + 1;
  }
  return values;
}
