import { ClaraError, type ClaraErrorCode } from "@clara/core";
import { createColors } from "picocolors";
import type { Colors } from "./colors.ts";
import { safeText } from "./safe-text.ts";

/** What helps beyond the message, where something does. */
const HINTS: Partial<Record<ClaraErrorCode, string>> = {
  config: 'the command "config check" shows every setting and where it came from',
  engine: 'the command "doctor" shows what this machine can run',
};

export interface FormatErrorOptions {
  /** Adds stacks and causes. @default false */
  readonly debug?: boolean;
  readonly colors?: Colors;
}

/**
 * An error for people, without a final line end: `error: ` and what it says, and a hint where there is one. An error
 * that Clara did not foresee is one line and the advice to run again with `--debug`; with `debug` come stack and causes.
 */
export function formatError(error: unknown, options: FormatErrorOptions = {}): string {
  const { debug = false, colors = createColors(false) } = options;
  const known = error instanceof ClaraError;
  const message = known ? error.message : firstLine(error);
  // The lines of a message with several problems stand below each other.
  const lines = [colors.red("error: ") + safeText(message).split("\n").join("\n       ")];
  if (debug) lines.push(...trace(error).map((line) => colors.dim(safeText(line))));
  const hint = known ? HINTS[error.code] : debug ? undefined : "run again with --debug to see where this came from";
  if (hint) lines.push(colors.dim(`hint:  ${hint}`));
  return lines.join("\n");
}

/** 2 for wrong usage or configuration, 1 for everything else that failed. 0 for what commander throws after `--help`. */
export function exitCode(error: unknown): 0 | 1 | 2 {
  if (error instanceof ClaraError) return error.code === "config" || error.code === "option" ? 2 : 1;
  if (error instanceof Error && "code" in error && String(error.code).startsWith("commander.")) {
    return "exitCode" in error && error.exitCode === 0 ? 0 : 2;
  }
  return 1;
}

function firstLine(error: unknown): string {
  const text = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  return text.split("\n")[0]!;
}

/** The stacks of an error, of its causes, and of the errors it gathers. */
function trace(error: unknown, seen: Set<unknown> = new Set()): string[] {
  if (seen.has(error)) return [];
  seen.add(error);
  if (!(error instanceof Error)) return [String(error)];
  const below = [...(error instanceof AggregateError ? error.errors : []), error.cause].filter((e) => e !== undefined);
  return [error.stack ?? String(error), ...below.flatMap((e) => ["caused by:", ...trace(e, seen)])];
}
