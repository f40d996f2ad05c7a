import { ClaraError } from "@clara/core";
import { Command, Option } from "commander";
import manifest from "../package.json" with { type: "json" };
import { addAsk } from "./commands/ask.ts";
import { addBench } from "./commands/bench.ts";
import { addConfig } from "./commands/config.ts";
import { type CommandContext, integer } from "./commands/context.ts";
import { addDoctor } from "./commands/doctor.ts";
import { addEngine } from "./commands/engine.ts";
import { addEvaluate } from "./commands/evaluate-command.ts";
import { addEvaluateRetrieval } from "./commands/evaluate-retrieval-command.ts";
import { addExplain } from "./commands/explain.ts";
import { addImport } from "./commands/import.ts";
import { addIndex } from "./commands/index-command.ts";
import { addSearch } from "./commands/search.ts";
import { addSynthesize } from "./commands/synthesize.ts";
import { addTour } from "./commands/tour.ts";
import { addTrain } from "./commands/train.ts";
import { addVerifyCheckpoint } from "./commands/verify-checkpoint.ts";
import { type EngineChoice, engineChoices } from "./engine.ts";
import { createTerminal, exitCode, type Output } from "./terminal/index.ts";

/** What a process gives its command: main.ts fills it in, tests as well. */
export interface Surroundings {
  readonly stdout: Output;
  readonly stderr: Output;
  /** Fires at Ctrl-C. */
  readonly signal: AbortSignal;
  /** Where packs of `--docs` are kept between questions. */
  readonly cache: string;
  /** False where the environment has NO_COLOR. */
  readonly color: boolean;
  /** An environment variable that a flag names, undefined when it is not set. */
  readonly variable: (name: string) => string | undefined;
}

const commands = [
  addIndex,
  addAsk,
  addSearch,
  addEvaluate,
  addEvaluateRetrieval,
  addExplain,
  addConfig,
  addDoctor,
  addBench,
  addEngine,
  addSynthesize,
  addTrain,
  addImport,
  addVerifyCheckpoint,
  addTour,
];

/** Runs one command. Nothing is thrown: errors are said on stderr, and the exit code is given back. */
export async function commandLine(args: readonly string[], surroundings: Surroundings): Promise<0 | 1 | 2> {
  const { stdout, stderr, signal, cache, color, variable } = surroundings;
  const debug = args.includes("--debug");
  const terminal = createTerminal({
    stdout,
    stderr,
    quiet: args.includes("--quiet"),
    json: args.includes("--json"),
    color,
    debug,
  });
  const program = new Command("rag-master")
    .description("Answers from your own documents, with citations that hold.")
    .version(manifest.version)
    .option("--quiet", "no progress, no notes")
    .option("--debug", "show stack traces of errors")
    .addOption(
      new Option("--engine <name>", "where models run; auto: the first that starts, in the order that doctor lists")
        .choices(["auto", ...engineChoices])
        .default("auto"),
    )
    .option("--threads <n>", "threads that models run on (default: the machine's cores, at most 4)")
    .showHelpAfterError("(add --help for the flags and examples)")
    .configureHelp({ showGlobalOptions: true })
    .configureOutput({ writeOut: (text) => stdout.write(text), writeErr: (text) => stderr.write(text) })
    .exitOverride();
  const context: CommandContext = {
    terminal,
    signal,
    cache,
    variable,
    version: manifest.version,
    runtime() {
      const { engine, threads } = program.opts<{ engine: EngineChoice | "auto"; threads?: string }>();
      return { engine, threads: integer("--threads", threads, { min: 1, max: 1024 }) };
    },
  };
  for (const add of commands) add(program, context);
  try {
    if (args.length === 0) program.outputHelp();
    else await program.parseAsync(args, { from: "user" });
    return 0;
  } catch (error) {
    if (signal.aborted) terminal.error(stopped(error));
    // commander has already said what is wrong with the command line.
    else if (!isCommander(error)) terminal.error(error);
    return exitCode(error);
  }
}

/**
 * Whatever a stopped stage throws, it is one thing to whoever stopped it. What has been kept differs (a pack as it was, a
 * checkpoint, replies): a command with something to go on from has said so itself.
 */
function stopped(cause: unknown): ClaraError {
  return new ClaraError("aborted", "stopped before it was done; no file is left half-written", { cause });
}

function isCommander(error: unknown): boolean {
  return error instanceof Error && "code" in error && String(error.code).startsWith("commander.");
}
