import { open, writeFile } from "node:fs/promises";
import { ClaraError, type Context } from "@clara/core";
import {
  besideTextTable,
  corpusOfFolder,
  curveTable,
  measureRates,
  plainTable,
  type RateCurve,
  rateCurve,
  ratesPage,
  readFolder,
  type SharedCorpus,
} from "../rates/index.ts";
import { reportPage } from "../report/index.ts";
import { sampleFolder, sampleQuestions } from "../samples.ts";
import { type CommandContext, openModel, settingsOf } from "./context.ts";
import { type QuestionFlags, readQuestions } from "./questions.ts";
import { stages } from "./source.ts";

export interface RatesFlags extends QuestionFlags {
  /** True where the flag stands alone. */
  readonly rates: string | true;
  readonly contexts?: string;
  readonly data?: string;
  readonly html?: string;
  readonly config?: string;
  readonly json?: boolean;
}

const usualRates = [1, 2, 4, 8, 16, 32, 64];
const allContexts: readonly Context[] = ["memory", "text", "mixed"];

/** `bench --rates`: what each compression rate costs and gives, on a person's own questions. */
export async function benchRates(
  paths: readonly string[],
  flags: RatesFlags,
  context: CommandContext,
  machine: object,
): Promise<void> {
  const { terminal, signal } = context;
  const rates = ratesOf(flags.rates);
  const contexts = contextsOf(flags.contexts);
  const { file, folders } = inputOf(paths, flags.data);
  if (flags.html !== undefined) await checkWritable(flags.html);
  const { config } = await settingsOf(flags.config);
  const { records, skipped, duplicates } = await readQuestions(file, flags, terminal);
  const needsFolder = records.some(({ docs }) => docs === undefined);
  if (needsFolder && folders.length === 0) {
    throw new ClaraError(
      "option",
      `bench --rates: ${file} has records without "docs": name the files or folders to search, as in: bench --rates --data ${file} docs`,
    );
  }
  const show = stages(terminal);
  const model = await openModel(config, context);
  try {
    const shared = needsFolder ? await sharedOf(folders) : undefined;
    const measured = await measureRates(records, model, config, {
      rates,
      contexts,
      shared,
      signal,
      onProgress: (done, total) => show.update("ask", done, total),
    });
    show.stop();
    const curve = rateCurve(measured);
    const { name, details } = model.engine;
    const about = { data: file, documents: needsFolder ? folders : [], model: model.id, engine: { name, details } };
    if (flags.html !== undefined) {
      const intro = introOf(curve, file, `${name}, ${details}; ${model.id}`);
      await writeFile(flags.html, reportPage(ratesPage(curve, { intro })));
    }
    if (flags.json) {
      const date = new Date().toISOString().slice(0, 10);
      terminal.printJson({ version: context.version, date, machine, ...about, skipped, duplicates, ...curve });
    } else for (const line of textOf(curve, introOf(curve, file, `${name}, ${details}`))) terminal.print(line);
    if (flags.html !== undefined) terminal.info(`the page is ${flags.html}`);
  } finally {
    show.stop();
    await model.dispose();
  }

  async function sharedOf(folders: readonly string[]): Promise<SharedCorpus> {
    const folder = await readFolder(folders, model);
    return {
      passages: folder.passages.map(({ id }) => id),
      compress: (rate, ladder) =>
        corpusOfFolder(folder, rate, ladder, {
          signal,
          onProgress: (done, total) => show.update("compress", done, total),
        }),
    };
  }
}

/** The questions' file, and where to search. Without either: the shop of the repository. */
function inputOf(paths: readonly string[], data: string | undefined): { file: string; folders: readonly string[] } {
  if (data !== undefined) return { file: data, folders: paths };
  if (paths.length > 0) {
    throw new ClaraError(
      "option",
      "bench --rates: needs questions about these documents: --data questions.jsonl, a line each: " +
        '{"question": "…", "answers": ["…"]}. Without documents and questions, the sample shop is measured',
    );
  }
  const [folder, questions] = [sampleFolder(), sampleQuestions()];
  if (folder === undefined || questions === undefined) {
    throw new ClaraError("option", "bench --rates: the sample documents are not here; give --data and a folder");
  }
  return { file: questions, folders: [folder] };
}

function ratesOf(given: string | true): number[] {
  if (given === true) return usualRates;
  const rates = given.split(",").map((part) => (/^\d+$/.test(part.trim()) ? Number(part) : 0));
  if (rates.some((rate) => rate < 1 || rate > 256)) {
    throw new ClaraError(
      "option",
      `--rates: needs whole numbers from 1 to 256 between commas, as in --rates 1,4,16, got "${given}"; a folder stands before --rates or after --`,
    );
  }
  return [...new Set(rates)].sort((a, b) => a - b);
}

function contextsOf(given: string | undefined): Context[] {
  if (given === undefined) return [...allContexts];
  return [...new Set(given.split(",").map((part) => part.trim()))].map((name) => {
    const found = allContexts.find((context) => context === name);
    if (found === undefined)
      throw new ClaraError("option", `--contexts: "${name}" is not known; choose from ${allContexts.join(",")}`);
    return found;
  });
}

function introOf({ n, passages, textBytes }: RateCurve, file: string, runsOn: string): string {
  return `${n} questions of ${file}; ${passages} passages of ${Math.round(textBytes)} bytes of text on average; ${runsOn}.`;
}

function textOf(curve: RateCurve, intro: string): string[] {
  const beside = besideTextTable(curve);
  const missing = curve.points.filter(({ supported }) => !supported);
  const reasons = [...new Set(missing.map(({ context, reason }) => `${context}: ${reason}`))];
  return [
    intro,
    "",
    ...plainTable(curveTable(curve)),
    ...(beside ? ["", "beside reading all the text, question by question:", ...plainTable(beside)] : []),
    ...(reasons.length > 0 ? ["", ...reasons.map((reason) => `not supported: ${reason}`)] : []),
  ];
}

async function checkWritable(path: string): Promise<void> {
  // Before the minutes of measuring, not after them.
  const file = await open(path, "a").catch((cause: Error) => {
    throw new ClaraError("io", `--html: ${path} cannot be written (${cause.message}); name another file`, { cause });
  });
  await file.close();
}
