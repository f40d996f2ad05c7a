import { arch, cpus, platform, totalmem } from "node:os";
import { mini } from "@clara/mini";
import { hnsw } from "@clara/retrieval";
import type { Command } from "commander";
import { defaultConfig } from "../config/index.ts";
import { loadModel } from "../model.ts";
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
    .description("Checks each part that may be missing on a machine, and says what to do about it.")
    .option("--json", "one JSON value on stdout")
    .addHelpText("after", "\nExamples:\n  doctor\n  doctor --json")
    .action(async (flags: { json?: boolean }) => {
      const { terminal } = context;
      const findings = [nodeVersion(), machine(), ...(await engine()), await graph()];
      if (flags.json) terminal.printJson({ version: context.version, findings });
      else {
        for (const { part, ok, found, advice } of findings) {
          const mark = ok ? terminal.colors.green("ok  ") : terminal.colors.yellow("miss");
          terminal.print(
            `${mark} ${part.padEnd(14)} ${found}${advice === null ? "" : `\n     ${"".padEnd(14)} ${advice}`}`,
          );
        }
      }
    });
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

/** Loads the model for real and compresses a passage of 256 tokens: what loads and answers is what works. */
async function engine(): Promise<Finding[]> {
  try {
    const model = await loadModel(defaultConfig());
    try {
      const text = "river ".repeat(240);
      await model.compressor.compress([{ text }]);
      const started = performance.now();
      await model.compressor.compress([{ text: `${text} stone` }]);
      const ms = performance.now() - started;
      return [
        {
          part: "model",
          ok: true,
          found: `${mini.id}, ${(mini.bytes.weights / 1e6).toFixed(0)} MB, sha256 verified`,
          advice: null,
        },
        {
          part: "engine",
          ok: true,
          found: `ONNX Runtime on the CPU: a passage of 256 tokens in ${ms.toFixed(0)} ms`,
          advice: null,
        },
      ];
    } finally {
      await model.dispose();
    }
  } catch (error) {
    return [
      {
        part: "engine",
        ok: false,
        found: error instanceof Error ? error.message : String(error),
        advice:
          "install again: npm install onnxruntime-node@1.30.0 (its CPU library is in the package; no download is needed)",
      },
    ];
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
