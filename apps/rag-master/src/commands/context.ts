import { existsSync } from "node:fs";
import { type Context as AnswerContext, ClaraError } from "@clara/core";
import { loadConfig, type ParsedConfig, parseConfig, type RagConfig } from "../config/index.ts";
import type { OpenEngineOptions } from "../engine.ts";
import { type CutText, loadModel, type Model } from "../model.ts";
import { cutMiddle, oneLine, type Terminal } from "../terminal/index.ts";

/** What every command works with: made once; main.ts alone reads the environment. */
export interface CommandContext {
  readonly terminal: Terminal;
  readonly signal: AbortSignal;
  /** Where packs of `--docs` are kept between questions. */
  readonly cache: string;
  /** An environment variable that a flag names, undefined when it is not set. */
  readonly variable: (name: string) => string | undefined;
  readonly version: string;
  /** What `--engine` and `--threads` say. */
  runtime(): Pick<OpenEngineOptions, "engine" | "threads">;
}

/**
 * The model that the configuration names, on the engine that the command line names. What it could not read of texts is said when
 * the command is done.
 */
export async function openModel(
  config: RagConfig,
  { runtime, cache, terminal, variable }: CommandContext,
): Promise<Model> {
  const all = { read: 0, cut: 0, lost: 0, first: "" };
  const onRead = (texts: number, cut: readonly CutText[]): void => {
    all.read += texts;
    if (all.cut === 0) all.first = cut[0]?.text ?? "";
    all.cut += cut.length;
    for (const { lostTokens } of cut) all.lost += lostTokens;
  };
  const model = await loadModel(config, { ...runtime(), cache, onPassedOver: terminal.warn, onRead, variable });
  return {
    ...model,
    async dispose() {
      if (all.cut > 0) terminal.warn(cutLine(all));
      await model.dispose();
    },
  };
}

function cutLine({ read, cut, lost, first }: { read: number; cut: number; lost: number; first: string }): string {
  return (
    `${cut} of ${read} texts are longer than the model reads and lost their ends, at least ${lost} tokens that are in no memory; ` +
    `split such texts, or shorten their titles; the first is "${cutMiddle(oneLine(first), 60)}"`
  );
}

/** The file that is read when `--config` is not given, if it is there. */
export const usualConfig = "rag_config.yaml";

export async function settingsOf(file: string | undefined): Promise<ParsedConfig> {
  if (file !== undefined) return loadConfig(file);
  return existsSync(usualConfig) ? loadConfig(usualConfig) : parseConfig("rag_master: {}\n", "defaults");
}

/** The context that was asked for; undefined: what the configuration means for the model. */
export function contextOf(asked: string | undefined): AnswerContext | undefined {
  if (asked === undefined || asked === "memory" || asked === "text" || asked === "mixed") return asked;
  throw new ClaraError("option", `--context: "${asked}" is not known; choose memory, text or mixed`);
}

/** A whole number from a flag. */
export function integer(
  flag: string,
  value: string | undefined,
  { min, max = Number.MAX_SAFE_INTEGER }: { min: number; max?: number },
): number | undefined {
  if (value === undefined) return undefined;
  const number = Number(value);
  if (!/^\d+$/.test(value) || number < min || number > max) {
    throw new ClaraError(
      "option",
      `${flag}: needs a whole number ${max === Number.MAX_SAFE_INTEGER ? `from ${min}` : `from ${min} to ${max}`}, got "${value}"`,
    );
  }
  return number;
}

/** The configuration by which the model itself answers. */
export function withoutEndpoint(config: RagConfig): RagConfig {
  const { endpoint: _, ...generation } = config.generation;
  return { ...config, generation };
}

/** The configuration with the rate of `--rate`. */
export function withRate(config: RagConfig, rate: number | undefined): RagConfig {
  return rate === undefined ? config : { ...config, compression: { ...config.compression, rate } };
}
