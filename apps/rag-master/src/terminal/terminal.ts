import { ClaraError } from "@clara/core";
import { createColors } from "picocolors";
import type { Colors } from "./colors.ts";
import { formatError } from "./format-error.ts";
import type { Output } from "./output.ts";
import { type Bar, noProgress, type Progress, progressBar, progressLines } from "./progress.ts";
import { safeText } from "./safe-text.ts";

export interface TerminalOptions {
  readonly stdout: Output;
  readonly stderr: Output;
  /** No progress, no warnings, no timing. @default false */
  readonly quiet?: boolean;
  /** Stdout is for one JSON value: `print` and `stream` write nothing. @default false */
  readonly json?: boolean;
  /** False when the environment has NO_COLOR. Colours are for terminals only. @default true */
  readonly color?: boolean;
  /** Stacks and causes of errors. @default false */
  readonly debug?: boolean;
  /** Milliseconds, for the time between two lines of a progress. @default performance.now */
  readonly now?: () => number;
}

/** All that a command writes. What it gives goes to stdout, what it says meanwhile to stderr. */
export interface Terminal {
  readonly json: boolean;
  /** Whether somebody watches stdout: an answer may be streamed. */
  readonly interactive: boolean;
  /** Colours of stdout, and of stderr. */
  readonly colors: Colors;
  readonly errorColors: Colors;
  /** A line of the command's result. Text from documents belongs through `safeText` or `oneLine` first. */
  print(line: string): void;
  /** A piece of an answer as it comes, made safe. */
  stream(piece: string): void;
  /** The command's one JSON value; with `json` only, and once. */
  printJson(value: unknown): void;
  /** A line on stderr, such as a count or a time. */
  info(line: string): void;
  /** As `info`, after `warning: `. */
  warn(line: string): void;
  /** The error that ended the command, on stderr even when quiet; ends a progress that still runs. */
  error(error: unknown): void;
  /** Shows how far a job is: a bar on a terminal, else a line now and then. One at a time; a new one ends the last. */
  progress(label: string, total: number): Progress;
}

/** Gathers the rules of the command line about what is written where, so that commands need not know them. */
export function createTerminal(options: TerminalOptions): Terminal {
  const { stdout, stderr, quiet = false, json = false, color = true, debug = false } = options;
  const { now = () => performance.now() } = options;
  const colors = createColors(color && stdout.isTTY === true);
  const errorColors = createColors(color && stderr.isTTY === true);
  let running: Progress | undefined;
  let bar: Bar | undefined;
  let jsonWritten = false;

  const around = (write: () => void) => (bar ? bar.around(write) : write());
  const say = (line: string) => around(() => stderr.write(`${line}\n`));
  const endProgress = () => {
    running?.stop();
    running = undefined;
    bar = undefined;
  };

  return {
    json,
    interactive: stdout.isTTY === true && !json,
    colors,
    errorColors,
    print(line) {
      if (!json) around(() => stdout.write(`${line}\n`));
    },
    stream(piece) {
      // Pieces do not end a line, so there is no place for a bar below them.
      endProgress();
      if (!json) stdout.write(safeText(piece));
    },
    printJson(value) {
      if (!json) return;
      if (jsonWritten) throw new ClaraError("option", "printJson: a command prints one JSON value, this is the second");
      jsonWritten = true;
      around(() => stdout.write(`${JSON.stringify(value)}\n`));
    },
    info(line) {
      if (!quiet) say(safeText(line));
    },
    warn(line) {
      if (!quiet) say(errorColors.yellow("warning: ") + safeText(line));
    },
    error(error) {
      endProgress();
      stderr.write(`${formatError(error, { debug, colors: errorColors })}\n`);
    },
    progress(label, total) {
      endProgress();
      if (quiet) return noProgress;
      if (stderr.isTTY) {
        bar = progressBar(label, total, stderr);
        running = bar;
      } else running = progressLines(label, total, stderr, now);
      return running;
    },
  };
}
