import { homedir } from "node:os";
import { join } from "node:path";
import { ClaraError } from "@clara/core";
import { Command } from "commander";
import manifest from "../package.json" with { type: "json" };
import { addAsk } from "./commands/ask.ts";
import { addConfig } from "./commands/config.ts";
import type { CommandContext } from "./commands/context.ts";
import { addDoctor } from "./commands/doctor.ts";
import { addEvaluate } from "./commands/evaluate-command.ts";
import { addEvaluateRetrieval } from "./commands/evaluate-retrieval-command.ts";
import { addIndex } from "./commands/index-command.ts";
import { addSearch } from "./commands/search.ts";
import { addTour } from "./commands/tour.ts";
import { createTerminal, exitCode } from "./terminal/index.ts";

const args = process.argv.slice(2);
const debug = args.includes("--debug");
const terminal = createTerminal({
  stdout: process.stdout,
  stderr: process.stderr,
  quiet: args.includes("--quiet"),
  json: args.includes("--json"),
  color: (process.env.NO_COLOR ?? "") === "",
  debug,
});
const stop = new AbortController();
process.once("SIGINT", () => stop.abort());
process.once("SIGTERM", () => stop.abort());
// A reader that has seen enough (`… | head`) is not an error.
// Nobody reads what is said meanwhile any more: the work goes on.
process.stderr.on("error", () => {});
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code === "EPIPE") process.exit(0);
  throw error;
});

const context: CommandContext = { terminal, signal: stop.signal, cache: cacheFolder(), version: manifest.version };
const program = new Command("rag-master")
  .description("Answers from your own documents, with citations that hold.")
  .version(manifest.version)
  .option("--quiet", "no progress, no notes")
  .option("--debug", "show stack traces of errors")
  .showHelpAfterError("(add --help for the flags and examples)")
  .configureHelp({ showGlobalOptions: true })
  .exitOverride();
for (const add of [addIndex, addAsk, addSearch, addEvaluate, addEvaluateRetrieval, addConfig, addDoctor, addTour])
  add(program, context);

try {
  if (args.length === 0) program.outputHelp();
  else await program.parseAsync(args, { from: "user" });
} catch (error) {
  // commander has already said what is wrong with the command line.
  if (stop.signal.aborted) terminal.error(stopped(error));
  else if (!isCommander(error)) terminal.error(error);
  process.exitCode = exitCode(error);
}

/** Whatever a stopped stage throws, it is one thing to whoever stopped it. */
function stopped(cause: unknown): ClaraError {
  return new ClaraError("aborted", "stopped before it was done; a pack is as it was before", { cause });
}

function isCommander(error: unknown): boolean {
  return error instanceof Error && "code" in error && String(error.code).startsWith("commander.");
}

function cacheFolder(): string {
  const { CLARA_CACHE, XDG_CACHE_HOME, LOCALAPPDATA } = process.env;
  return CLARA_CACHE ?? join(XDG_CACHE_HOME ?? LOCALAPPDATA ?? join(homedir(), ".cache"), "clara");
}
