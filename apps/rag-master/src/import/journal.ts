import { closeSync, existsSync, openSync, readFileSync, rmSync, writeSync } from "node:fs";
import { ClaraError } from "@clara/core";
import { ioError } from "../write-atomic.ts";

/** A part of a file that has been written whole. */
export interface Done {
  readonly file: string;
  readonly part: string;
  readonly sha256: string;
}

/** What an import has written so far, one JSON line for each part: what a later run goes on from. */
export interface Journal {
  /** Of an earlier run, in the order in which they were written. */
  readonly done: readonly Done[];
  add(done: Done): void;
  close(): void;
  /** Closes it and takes it away: the import is done. */
  remove(): void;
}

/**
 * @param plan says what is imported to what: a journal of another plan is not gone on with.
 * @throws ClaraError "option" when there is a journal of another plan, "io" when the file system refuses.
 */
export function openJournal(path: string, plan: string): Journal {
  const known = existsSync(path) ? readJournal(path) : undefined;
  if (known && known.plan !== plan) {
    throw new ClaraError(
      "option",
      `${path}: an import of other files, or to another precision, was begun here; delete that folder, or name another by --out`,
    );
  }
  const attempt = <T>(action: () => T): T => {
    try {
      return action();
    } catch (cause) {
      throw ioError(path, cause);
    }
  };
  // Anew: the last line of the old one may be cut.
  const file = attempt(() => openSync(path, "w"));
  const line = (value: object): void => void attempt(() => writeSync(file, `${JSON.stringify(value)}\n`));
  line({ plan });
  for (const done of known?.done ?? []) line(done);
  return {
    done: known?.done ?? [],
    add: line,
    close: () => closeSync(file),
    remove() {
      closeSync(file);
      rmSync(path, { force: true });
    },
  };
}

function readJournal(path: string): { plan: unknown; done: Done[] } {
  const lines = readFileSync(path, "utf8")
    .split("\n")
    .map((text): Record<string, unknown> => {
      try {
        return JSON.parse(text) ?? {};
      } catch {
        return {}; // cut in the middle of a line
      }
    });
  const isDone = (line: Record<string, unknown>): boolean =>
    [line.file, line.part, line.sha256].every((value) => typeof value === "string");
  return { plan: lines[0]?.plan, done: lines.slice(1).filter(isDone) as unknown as Done[] };
}
