import { ClaraError } from "@clara/core";
import { integer } from "../commands/context.ts";
import { chatUrl } from "./chat.ts";

/** What the command line says, as it says it. */
export interface SynthesizeFlags {
  readonly out: string;
  readonly limit?: string;
  readonly seed: string;
  readonly format: string;
  readonly paraphrases?: boolean;
  readonly unanswerable: string;
  readonly distractors: string;
  readonly check: boolean;
  readonly endpoint?: string;
  readonly model?: string;
  readonly keyEnv: string;
  readonly rounds: string;
  readonly timeout: string;
  readonly retries: string;
  readonly priceIn?: string;
  readonly priceOut?: string;
  readonly yes?: boolean;
  readonly dryRun?: boolean;
  readonly config?: string;
  readonly json?: boolean;
}

/** The same, checked. */
export interface SynthesizeSettings {
  readonly limit: number;
  readonly seed: number;
  readonly format: "records" | "clara";
  readonly unanswerable: number;
  readonly distractors: number;
  readonly rounds: number;
  readonly timeoutMs: number;
  readonly retries: number;
  readonly prices: { readonly in: number; readonly out: number } | null;
  readonly endpoint: { readonly url: string; readonly model: string } | null;
}

/** @throws ClaraError "option" for whatever cannot be meant */
export function settingsOfFlags(flags: SynthesizeFlags): SynthesizeSettings {
  const { format, endpoint, model } = flags;
  if (format !== "records" && format !== "clara")
    throw new ClaraError("option", `--format: "${format}" is not known; choose records or clara`);
  if (endpoint !== undefined) chatUrl(endpoint);
  if (endpoint !== undefined && model === undefined)
    throw new ClaraError("option", "--endpoint: needs --model as well, the name under which the endpoint serves it");
  if (endpoint === undefined && model !== undefined)
    throw new ClaraError("option", "--model: names a model of an endpoint; give --endpoint as well");
  const prices = [flags.priceIn, flags.priceOut].some((price) => price !== undefined);
  return {
    limit: integer("--limit", flags.limit, { min: 1 }) ?? Number.POSITIVE_INFINITY,
    seed: integer("--seed", flags.seed, { min: 0, max: 2 ** 32 - 1 })!,
    format,
    unanswerable: number("--unanswerable", flags.unanswerable, 1),
    distractors: integer("--distractors", flags.distractors, { min: 0, max: 100 })!,
    rounds: integer("--rounds", flags.rounds, { min: 0, max: 10 })!,
    timeoutMs: integer("--timeout", flags.timeout, { min: 1, max: 3600 })! * 1000,
    retries: integer("--retries", flags.retries, { min: 0, max: 20 })!,
    prices: prices
      ? { in: number("--price-in", flags.priceIn ?? "0", 1e6), out: number("--price-out", flags.priceOut ?? "0", 1e6) }
      : null,
    endpoint: endpoint === undefined ? null : { url: endpoint, model: model! },
  };
}

function number(flag: string, value: string, max: number): number {
  const given = Number(value);
  if (value.trim() === "" || !(given >= 0 && given <= max))
    throw new ClaraError("option", `${flag}: needs a number from 0 to ${max}, got "${value}"`);
  return given;
}
