import { join } from "node:path";
import { createInterface } from "node:readline/promises";
import { ClaraError, type Passage } from "@clara/core";
import {
  claraParaphrases,
  claraRecords,
  draftPairs,
  draftParaphrases,
  type Paraphrase,
  permutation,
  random,
  recordWriter,
  toLines,
} from "@clara/train";
import type { Command } from "commander";
import { chatClient, chatUrl } from "../synthesize/chat.ts";
import { type Estimate, estimate } from "../synthesize/estimate.ts";
import { fromEndpoint } from "../synthesize/from-endpoint.ts";
import { fromRules, readerCheck } from "../synthesize/from-rules.ts";
import { readPassages } from "../synthesize/read-passages.ts";
import { cachedAsk } from "../synthesize/reply-cache.ts";
import { type SynthesizeFlags, type SynthesizeSettings, settingsOfFlags } from "../synthesize/settings.ts";
import { oneLine } from "../terminal/index.ts";
import { writeAtomic } from "../write-atomic.ts";
import { type CommandContext, openModel, settingsOf, withoutEndpoint } from "./context.ts";

/** Beyond these a run against an endpoint wants a yes. */
const freeTokens = 200_000;
const freePrice = 1;
const samples = 20;

export function addSynthesize(program: Command, context: CommandContext): void {
  program
    .command("synthesize")
    .summary("questions and answers from your own documents, for training and evaluation")
    .description(
      "Makes question-answer records from files and folders: by rules, each checked by the embedded reader, or by any OpenAI-compatible endpoint.",
    )
    .argument("<path...>", "files and folders")
    .option("--out <file>", "where the records go, as JSON Lines", "synthesized.jsonl")
    .option("--limit <n>", "at most this many records, from all over the documents")
    .option("--seed <n>", "the same input and seed give the same file", "0")
    .option("--format <name>", "records: for evaluate and train; clara: the reference's pretraining lines", "records")
    .option("--paraphrases", "also passages in other words, in a file of their own beside --out")
    .option("--unanswerable <share>", "questions without an answer for each one with, 0 to 1", "0.25")
    .option("--distractors <n>", "other passages in each record's docs", "0")
    .option("--no-check", "keep what the rules make without asking the reader")
    .option("--endpoint <url>", "ask this chat/completions endpoint instead of rules, as in http://127.0.0.1:8000/v1")
    .option("--model <name>", "the endpoint's model")
    .option("--key-env <name>", "environment variable that holds the endpoint's key", "OPENAI_API_KEY")
    .option("--rounds <n>", "rounds of verifying and asking again for a passage, 0 to 10", "10")
    .option("--timeout <seconds>", "longest wait for one reply", "120")
    .option("--retries <n>", "tries after a reply that fails or does not come, waiting 1, 2, 4 … seconds", "5")
    .option("--price-in <n>", "price of a million tokens sent, for the estimate")
    .option("--price-out <n>", "price of a million tokens received, for the estimate")
    .option("--yes", "do not ask before a large run against an endpoint")
    .option("--dry-run", "say what would be made or cost, write nothing")
    .option("--config <file>", "settings (default: rag_config.yaml, when it is here)")
    .option("--json", "one JSON value on stdout")
    .addHelpText(
      "after",
      "\nExamples:\n  synthesize docs --out pairs.jsonl\n  synthesize docs --dry-run\n  synthesize docs --endpoint http://127.0.0.1:8000/v1 --model qwen3 --paraphrases\n  evaluate pairs.jsonl",
    )
    .action((paths: string[], flags: SynthesizeFlags) => synthesize(paths, flags, context));
}

async function synthesize(paths: readonly string[], flags: SynthesizeFlags, context: CommandContext): Promise<void> {
  const { terminal, signal } = context;
  const settings = settingsOfFlags(flags);
  const { limit, seed, format } = settings;
  // Pairs are checked by the embedded reader; what asks them is named by flags.
  const model = await openModel(withoutEndpoint((await settingsOf(flags.config)).config), context);
  let bar: ReturnType<typeof terminal.progress> | undefined;
  const progress = (label: string) => (done: number, total: number) => {
    bar ??= total > 0 ? terminal.progress(label, total) : undefined;
    bar?.update(done);
  };
  const endProgress = (): void => {
    bar?.stop();
    bar = undefined;
  };
  try {
    const started = performance.now();
    const { documents, passages, problems } = await readPassages(paths, model, {
      signal,
      onProgress: progress("reading files"),
    }).finally(endProgress);
    for (const { path, reason } of problems) terminal.info(`skipped: ${path}: ${reason}`);
    if (passages.length === 0)
      throw new ClaraError(
        "input",
        `${paths.join(", ")}: nothing to ask about (${documents} documents read, ${problems.length} files skipped${problems[0] ? `; first: ${problems[0].path}: ${problems[0].reason}` : ""})`,
      );
    const base = { documents, passages: passages.length, problems };

    let records: object[];
    let paraphrases: readonly Paraphrase[];
    let details: object;
    if (settings.endpoint === null) {
      if (flags.dryRun) return showDrafts(passages, base, settings, context);
      const check = flags.check ? readerCheck(model.generator, signal) : null;
      const made = await fromRules(passages, {
        limit,
        seed,
        unanswerable: format === "clara" ? 0 : settings.unanswerable,
        check,
        signal,
        onProgress: progress("checking pairs"),
      }).finally(endProgress);
      const write = recordWriter(passages, { distractors: settings.distractors, seed });
      records =
        format === "clara" ? claraRecords(made.pairs, passages) : [...made.pairs, ...made.unanswerable].map(write);
      paraphrases = flags.paraphrases ? draftParaphrases(passages, { seed }) : [];
      details = {
        pairs: made.pairs.length,
        unanswerable: made.unanswerable.length,
        doubtful: made.doubtful,
        drafted: made.drafted,
        rules: made.rules,
      };
      for (const [rule, { found, hard, dropped }] of Object.entries(made.rules))
        terminal.info(`${rule.padEnd(12)} ${found} found + ${hard} hard + ${dropped} dropped`);
    } else {
      const expected = estimate(
        withinLimit(passages, limit).map(({ text }) => model.tokenizer.count(text)),
        { rounds: settings.rounds, paraphrases: flags.paraphrases ?? false, prices: settings.prices },
      );
      terminal.info(sayEstimate(expected));
      if (flags.dryRun) {
        if (flags.json) terminal.printJson({ ...base, dryRun: true, estimate: expected });
        else terminal.print(`dry run: ${passages.length} passages of ${documents} documents; ${sayEstimate(expected)}`);
        return;
      }
      await agree(expected, flags);
      const identity = JSON.stringify([chatUrl(settings.endpoint.url), settings.endpoint.model]);
      const key = context.variable(flags.keyEnv);
      const chat = chatClient({
        endpoint: settings.endpoint.url,
        model: settings.endpoint.model,
        timeoutMs: settings.timeoutMs,
        retries: settings.retries,
        signal,
        ...(key && { key }),
      });
      const { ask, counts } = cachedAsk(chat, { directory: join(context.cache, "synthesize"), identity });
      const made = await fromEndpoint(passages, {
        ask,
        rounds: settings.rounds,
        paraphrases: flags.paraphrases ?? false,
        limit,
        seed,
        signal,
        onProgress: progress("asking the endpoint"),
      }).finally(endProgress);
      for (const { path, reason } of made.problems) terminal.warn(`${path}: ${reason}`);
      const { records: lines, problems: failed, paraphrases: texts, ...rest } = made;
      records = format === "clara" ? claraOf(lines, passages) : [...lines];
      paraphrases = texts;
      details = { pairs: lines.length, unanswerable: 0, ...rest, failed, ...counts, estimate: expected };
      terminal.info(
        `${counts.requests} requests, ${counts.cached} replies kept from before, ${counts.tokensIn} tokens sent, ${counts.tokensOut} received`,
      );
    }
    if (records.length === 0)
      throw new ClaraError(
        "input",
        `${paths.join(", ")}: no question could be made from ${passages.length} passages; ${flags.out} is as it was`,
      );

    await writeAtomic(flags.out, toLines(records));
    const second = flags.paraphrases ? flags.out.replace(/(\.jsonl?)?$/, ".paraphrases.jsonl") : null;
    if (second !== null)
      await writeAtomic(
        second,
        toLines(
          format === "clara" ? claraParaphrases(paraphrases, passages) : paraphraseRecords(paraphrases, passages),
        ),
      );
    const seconds = Math.round((performance.now() - started) / 100) / 10;
    const files = {
      out: flags.out,
      ...(second !== null && { paraphrasesOut: second, paraphrases: paraphrases.length }),
    };
    if (flags.json)
      terminal.printJson({ ...files, ...base, records: records.length, ...details, seconds, dryRun: false });
    else
      terminal.print(
        `${records.length} ${format === "clara" ? "passages with questions" : "records"} from ${passages.length} passages of ${documents} documents, ${seconds} s\n${flags.out}${second === null ? "" : `\n${second}: ${paraphrases.length} paraphrases`}`,
      );
  } finally {
    endProgress();
    await model.dispose();
  }
}

/** What the rules would ask, before the reader has looked at it. */
function showDrafts(
  passages: readonly Passage[],
  base: object,
  { seed }: SynthesizeSettings,
  { terminal }: CommandContext,
): void {
  const drafts = draftPairs(passages, { seed });
  const rules: Record<string, number> = {};
  for (const { rule } of drafts) rules[rule] = (rules[rule] ?? 0) + 1;
  const drawn = [...permutation(drafts.length, random(seed, 7))].slice(0, samples).map((i) => drafts[i]!);
  const shown = drawn.map(({ rule, question, answer, passage }) => ({ rule, question, answer, passage }));
  if (terminal.json) {
    terminal.printJson({ ...base, dryRun: true, drafts: drafts.length, rules, samples: shown });
    return;
  }
  terminal.print(`dry run: ${drafts.length} questions from ${passages.length} passages, before the reader checks them`);
  for (const [rule, count] of Object.entries(rules).sort(([, a], [, b]) => b - a))
    terminal.print(`  ${rule.padEnd(12)} ${count}`);
  for (const { question, answer } of shown)
    terminal.print(`${oneLine(question)}  ${terminal.colors.dim(oneLine(answer))}`);
}

/** Passages that a limit lets one expect to be asked about: about five records come of each. */
function withinLimit(passages: readonly Passage[], limit: number): readonly Passage[] {
  return passages.slice(0, Math.ceil(limit / 5));
}

function sayEstimate({ passages, requests, tokensIn, tokensOut, price, most }: Estimate): string {
  const cost = price === null ? "" : `, about ${price} (at most ${most.price})`;
  return `estimate for ${passages} passages: ${requests} requests, ${tokensIn} tokens sent, ${tokensOut} received${cost}; if every round is used ${most.requests} requests, ${most.tokensIn} + ${most.tokensOut} tokens`;
}

async function agree(
  { requests, tokensIn, tokensOut, price }: Estimate,
  { yes, json }: SynthesizeFlags,
): Promise<void> {
  const large = tokensIn + tokensOut > freeTokens || (price ?? 0) > freePrice;
  if (!large || yes) return;
  const what = `${requests} requests and ${tokensIn + tokensOut} tokens${price === null ? "" : `, about ${price}`}`;
  if (json || !process.stdin.isTTY || !process.stderr.isTTY)
    throw new ClaraError(
      "option",
      `synthesize: this run takes ${what}; say --yes to go on, or --limit to make it smaller`,
    );
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  const answer = await terminal.question(`This run takes ${what}. Go on? [y/N] `).finally(() => terminal.close());
  if (!/^y(?:es)?$/i.test(answer.trim())) throw new ClaraError("option", "synthesize: nothing was asked or written");
}

function paraphraseRecords(paraphrases: readonly Paraphrase[], passages: readonly Passage[]): object[] {
  const byId = new Map(passages.map((passage) => [passage.id, passage]));
  return paraphrases.map(({ id, passage, text }) => ({
    id,
    data_type: "paraphrase",
    answers: [text],
    docs: [byId.get(passage)!.text],
    source: byId.get(passage)!.document,
    rule: "paraphrase",
  }));
}

function claraOf(
  records: readonly { question: string; answers: readonly string[]; docs: readonly string[] }[],
  passages: readonly Passage[],
): object[] {
  const byText = Map.groupBy(records, ({ docs }) => docs[0]!);
  return [...new Set(passages.map(({ text }) => text))].flatMap((text) => {
    const own = byText.get(text);
    return own === undefined
      ? []
      : [
          {
            data_type: "qa",
            question: own.map(({ question }) => question),
            answers: own.map(({ answers }) => answers[0]!),
            docs: [text],
          },
        ];
  });
}
