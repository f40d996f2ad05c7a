import type { Command } from "commander";
import { describeConfig } from "../config/index.ts";
import { type CommandContext, settingsOf } from "./context.ts";

export function addConfig(program: Command, { terminal }: CommandContext): void {
  const config = program
    .command("config")
    .summary("is the configuration right")
    .description("Works with rag_config.yaml.")
    .addHelpText("after", "\nExamples:\n  config check\n  config check my_config.yaml --json");
  config
    .command("check")
    .summary("print the effective configuration and where each value came from")
    .description("Checks the configuration and prints it with every default filled in, and where each value came from.")
    .argument("[file]", "settings (default: rag_config.yaml, when it is here)")
    .option("--config <file>", "the same, as a flag")
    .option("--json", "one JSON value on stdout")
    .addHelpText("after", "\nExamples:\n  config check\n  config check my_config.yaml --json")
    .action(async (file: string | undefined, flags: { config?: string; json?: boolean }) => {
      const parsed = await settingsOf(file ?? flags.config);
      if (flags.json) terminal.printJson(parsed);
      else terminal.print(describeConfig(parsed).trimEnd());
    });
}
