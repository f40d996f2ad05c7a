import { ClaraError } from "@clara/core";
import type { Engine } from "@clara/engine";
import type { Command } from "commander";
import { openEngine } from "../engine.ts";
import { oneLine } from "../terminal/index.ts";
import { type Check, groupNames, type Verification, verifyCheckpoint } from "../verify/index.ts";
import type { CommandContext } from "./context.ts";

interface Flags {
  readonly only?: string[];
  readonly json?: boolean;
}

export function addVerifyCheckpoint(program: Command, context: CommandContext): void {
  program
    .command("verify-checkpoint")
    .summary("compare with recorded values of the CLaRa reference")
    .description(
      "Compares what Clara computes with what the reference has been recorded to compute from the same checkpoints: ids, states, losses, gradients, training steps, answers. What a folder's files do not allow is skipped.",
    )
    .argument("<folder>", "recorded values with their checkpoints, or decoders with expected.safetensors")
    .option("--only <checks...>", `some of them: ${groupNames.join(", ")}`)
    .option("--json", "one JSON value on stdout")
    .addHelpText(
      "after",
      "\nExamples:\n  verify-checkpoint fixtures/clara-tiny\n  verify-checkpoint fixtures/clara-tiny --only forward training --json\n  verify-checkpoint fixtures/decoders/qwen3",
    )
    .action(async (folder: string, flags: Flags) => {
      const { terminal, signal, cache, runtime } = context;
      let starting: Promise<Engine> | undefined;
      let progress: ReturnType<typeof terminal.progress> | undefined;
      try {
        const found = await verifyCheckpoint(folder, {
          only: flags.only,
          signal,
          engine: () => {
            starting ??= openEngine({ ...runtime(), cache, onPassedOver: terminal.warn });
            return starting;
          },
          onProgress: (done, total, name) => {
            progress ??= terminal.progress("verifying", total);
            progress.update(done, name);
          },
        });
        progress?.stop();
        if (flags.json) terminal.printJson(found);
        else for (const line of linesOf(found)) terminal.print(line);
        refuse(found);
      } finally {
        progress?.stop();
        await (await starting?.catch(() => undefined))?.dispose();
      }
    });
}

/** A table for people: failed checks say why. */
function linesOf({ checks, passed, failed, skipped, skippedChecks }: Verification): string[] {
  const width = Math.max(5, ...[...checks, ...skippedChecks].map(({ name }) => name.length));
  const number = (value: number | null): string => (value === null ? "–" : value === 0 ? "0" : value.toExponential(1));
  const row = ({ name, passed, maxError, tolerance, reason }: Check): string[] => [
    `${passed ? "ok  " : "FAIL"} ${oneLine(name).padEnd(width)} ${number(maxError).padStart(8)} ${number(tolerance).padStart(8)}`,
    ...(reason === undefined ? [] : [`     ${oneLine(reason)}`]),
  ];
  return [
    `     ${"check".padEnd(width)} ${"error".padStart(8)} ${"at most".padStart(8)}`,
    ...checks.flatMap(row),
    ...skippedChecks.map(({ name, reason }) => `skip ${oneLine(name).padEnd(width)} ${oneLine(reason)}`),
    `${passed} passed, ${failed} failed, ${skipped} skipped`,
  ];
}

/** @throws ClaraError "weights" when something failed, or when nothing could be compared: neither is a success. */
function refuse({ checks, failed }: Verification): void {
  if (checks.length === 0) throw new ClaraError("input", "verify-checkpoint: no check could be made; all were skipped");
  if (failed === 0) return;
  const names = checks.filter(({ passed }) => !passed).map(({ name }) => name);
  const shown = names.length > 6 ? `${names.slice(0, 6).join(", ")} and ${names.length - 6} more` : names.join(", ");
  throw new ClaraError("weights", `verify-checkpoint: ${failed} of ${checks.length} checks failed: ${shown}`);
}
