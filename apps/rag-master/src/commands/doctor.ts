import { arch, cpus, platform, totalmem } from "node:os";
import { fileURLToPath } from "node:url";
import { mini } from "@clara/mini";
import { hnsw } from "@clara/retrieval";
import type { Command } from "commander";
import { engineChoices } from "../engine.ts";
import { type EngineFinding, examineEngines } from "../examine-engines.ts";
import { readModelFolder } from "../model-folder.ts";
import type { CommandContext } from "./context.ts";

interface Finding {
  readonly part: string;
  readonly ok: boolean;
  readonly found: string;
  /** What to do about it; null when nothing needs doing. */
  readonly advice: string | null;
}

export function addDoctor(program: Command, context: CommandContext): void {
  program
    .command("doctor")
    .summary("what this machine can run")
    .description(
      "Checks each part that may be missing on a machine, tries every engine, or the one of --engine, and says what to do about the rest.",
    )
    .option("--json", "one JSON value on stdout")
    .addHelpText("after", "\nExamples:\n  doctor\n  doctor --json\n  doctor --engine tfjs-node-gpu")
    .action(async (flags: { json?: boolean }) => {
      const { terminal, cache, signal, version } = context;
      const findings = [nodeVersion(), machine(), await model(), await graph()];
      for (const finding of findings) terminal.print(lineOf(finding, terminal.colors));
      const { engine = "auto" } = context.runtime();
      const asked = engine === "auto" ? engineChoices : [engine];
      const engines: EngineFinding[] = [];
      terminal.print(`\n${"engine".padEnd(15)} a passage of 256 tokens`);
      const progress = terminal.progress("trying engines", asked.length);
      try {
        for await (const finding of examineEngines({ engines: asked, cache, signal })) {
          engines.push(finding);
          progress.update(engines.length, finding.engine);
          terminal.print(rowOf(finding));
        }
      } finally {
        progress.stop();
      }
      for (const line of advice(engines)) terminal.print(line);
      if (flags.json) terminal.printJson({ version, findings, engines });
    });
}

function lineOf({ part, ok, found, advice }: Finding, colors: CommandContext["terminal"]["colors"]): string {
  const mark = ok ? colors.green("ok  ") : colors.yellow("miss");
  return `${mark} ${part.padEnd(14)} ${found}${advice === null ? "" : `\n     ${"".padEnd(14)} ${advice}`}`;
}

function rowOf({ engine, works, details, passageMs, estimated, reason }: EngineFinding): string {
  const speed = works ? `${estimated ? "about " : ""}${Math.round(passageMs!)} ms` : "–";
  return `${engine.padEnd(15)} ${speed.padEnd(14)} ${works ? details?.replace(/, packageFolder [^,]*/, "") : reason}`;
}

/** Below the table: commands are long, and most of these engines nobody misses. */
function advice(engines: readonly EngineFinding[]): string[] {
  const open = engines.filter(({ advice }) => advice.length > 0);
  const lines = open.flatMap(({ engine, advice }) => [`  ${engine}`, ...advice.map((step) => `    ${step}`)]);
  return lines.length === 0 ? [] : ["\nWhat to do for those that are wanted:", ...lines];
}

function nodeVersion(): Finding {
  return { part: "Node.js", ok: true, found: `${process.versions.node} on ${platform()}-${arch()}`, advice: null };
}

function machine(): Finding {
  const [cpu] = cpus();
  return {
    part: "machine",
    ok: true,
    found: `${cpus().length} × ${cpu?.model.trim() ?? "unknown CPU"}, ${(totalmem() / 2 ** 30).toFixed(0)} GiB`,
    advice: null,
  };
}

async function model(): Promise<Finding> {
  try {
    await readModelFolder(fileURLToPath(new URL(".", mini.files.config)));
    const found = `${mini.id}, ${(mini.bytes.weights / 1e6).toFixed(0)} MB, sha256 verified`;
    return { part: "model", ok: true, found, advice: null };
  } catch (error) {
    const found = error instanceof Error ? error.message : String(error);
    return { part: "model", ok: false, found, advice: "install again: npm install @clara/mini" };
  }
}

async function graph(): Promise<Finding> {
  const index = hnsw();
  // The module is loaded at the first use, and says then whether it could be.
  await index.apply({});
  const note = index.note;
  await index.close();
  return note === undefined
    ? {
        part: "hnswlib-node",
        ok: true,
        found: "loads: long-lived processes search packs of more than 20,000 passages by its graph",
        advice: null,
      }
    : {
        part: "hnswlib-node",
        ok: false,
        found: note,
        advice: "optional: large packs search faster with it; it needs a C++ compiler and python3 when it is installed",
      };
}
