import { closeSync, existsSync, fsyncSync, ftruncateSync, openSync, readFileSync, writeSync } from "node:fs";
import type { TrainingStep } from "@clara/train";
import { ioError } from "../write-atomic.ts";

/** A line of log.jsonl. */
export interface LogEntry extends Omit<TrainingStep, "position"> {
  /** That the step took, without saving. */
  readonly seconds: number;
}

export interface TrainingLog {
  readonly entries: readonly LogEntry[];
  append(entry: LogEntry): void;
  /** Makes sure that all lines are in the file. @throws ClaraError "io" when they cannot be. */
  sync(): void;
  close(): void;
}

/**
 * The steps of a run as JSON Lines. Lines after step `after` are dropped: they were written after the checkpoint that
 * the run goes on from, and will come again.
 *
 * A disk that is full does not end the run: lines wait until there is room.
 */
export function openLog(path: string, after: number): TrainingLog {
  const entries = existsSync(path) ? readLog(path).filter(({ step }) => step <= after) : [];
  // Not "a": lines are put where the last whole one ended, also after half a line was written.
  const file = openSync(path, existsSync(path) ? "r+" : "w+");
  let waiting = Buffer.from(entries.map(lineOf).join(""));
  let end = 0;
  const flush = (): void => {
    for (let done = 0; done < waiting.length; ) {
      done += writeSync(file, waiting, done, waiting.length - done, end + done);
      if (done === waiting.length) end += done;
    }
    waiting = Buffer.alloc(0);
  };
  flush();
  ftruncateSync(file, end);
  return {
    entries,
    append(entry) {
      entries.push(entry);
      waiting = Buffer.concat([waiting, Buffer.from(lineOf(entry))]);
      try {
        flush();
      } catch {
        // They wait; `sync` says so.
      }
    },
    sync() {
      try {
        flush();
        fsyncSync(file);
      } catch (cause) {
        throw ioError(path, cause);
      }
    },
    close() {
      closeSync(file);
    },
  };
}

/** Whole lines up to the first that is none: what was being written when the machine stopped. */
export function readLog(path: string): LogEntry[] {
  const entries: LogEntry[] = [];
  for (const line of readFileSync(path, "utf8").split("\n")) {
    try {
      entries.push(JSON.parse(line));
    } catch {
      break;
    }
  }
  return entries;
}

function lineOf({ step, loss, norm, learningRate, tokens, examples, seconds, measures }: LogEntry): string {
  const rounded = { step, loss, norm, learningRate, tokens, examples, seconds, measures };
  return `${JSON.stringify(rounded)}\n`;
}
