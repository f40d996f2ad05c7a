import type { WritableRetriever } from "@clara/core";
import { filters } from "./conformance/filters.ts";
import { hostile } from "./conformance/hostile.ts";
import { model } from "./conformance/model.ts";
import { ranking } from "./conformance/ranking.ts";
import { type Case, createContext } from "./conformance/setup.ts";
import { writing } from "./conformance/writing.ts";

export { ConformanceError } from "./conformance/assert.ts";

/** Makes a new, empty retriever each time it is called. */
export type Make = () => WritableRetriever | Promise<WritableRetriever>;

export interface ConformanceOptions {
  /** Width of the vectors that the kit gives to passages and questions, at least 8. @default 16 */
  readonly dimension?: number;
}

/** The two functions of Vitest, Jest, Mocha, node:test and others that the kit needs. */
export interface Runner {
  describe(name: string, body: () => void): unknown;
  it(title: string, body: () => Promise<void>): unknown;
}

export interface Report {
  /** Nothing failed. */
  readonly ok: boolean;
  readonly passed: readonly string[];
  readonly failed: readonly { readonly title: string; readonly error: unknown }[];
  /** Cases that say nothing about a retriever with these capabilities. */
  readonly skipped: readonly string[];
}

const cases: readonly Case[] = [...ranking, ...writing, ...filters, ...hostile, ...model];

/** Registers one test per promise of the retriever contract with a test runner. */
export function describeRetriever(runner: Runner, name: string, make: Make, options: ConformanceOptions = {}): void {
  runner.describe(`${name} keeps the retriever contract`, () => {
    for (const each of cases) {
      runner.it(each.title, async () => {
        await run(each, make, options);
      });
    }
  });
}

/** Runs the same cases without a test runner. Never throws: what fails is in the report. */
export async function checkRetriever(make: Make, options: ConformanceOptions = {}): Promise<Report> {
  const passed: string[] = [];
  const skipped: string[] = [];
  const failed: { title: string; error: unknown }[] = [];
  for (const each of cases) {
    try {
      ((await run(each, make, options)) ? passed : skipped).push(each.title);
    } catch (error) {
      failed.push({ title: each.title, error });
    }
  }
  return { ok: failed.length === 0, passed, failed, skipped };
}

/** @returns Whether the case applied. */
async function run({ applies, run }: Case, make: Make, { dimension = 16 }: ConformanceOptions): Promise<boolean> {
  const made: WritableRetriever[] = [];
  const makeAndKeep = async () => {
    const retriever = await make();
    made.push(retriever);
    return retriever;
  };
  try {
    if (applies && !applies(await makeAndKeep())) return false;
    await run(createContext(makeAndKeep, dimension));
    return true;
  } finally {
    for (const retriever of made) await retriever.close();
  }
}
