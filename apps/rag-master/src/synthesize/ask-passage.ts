import type { Passage } from "@clara/core";
import type { GivenPair } from "./lenient-json.ts";
import { listOf, pairsOf, textIn } from "./lenient-json.ts";
import { keyWords, locate } from "./locate.ts";
import { againPrompt, combinedPrompt, paraphrasePrompt, simplePrompt, verifyPrompt } from "./prompts.ts";
import type { Ask } from "./reply-cache.ts";

/** A pair of an endpoint: its answer is in the text, or the text's parts that it follows from are. */
export interface AskedPair {
  readonly question: string;
  readonly answer: string;
  /** UTF-16 offsets into the passage's text: of the answer, or of its evidence. */
  readonly spans: readonly { readonly start: number; readonly end: number }[];
  readonly rule: "endpoint" | "endpoint-combined";
}

export interface AskedPassage {
  readonly pairs: readonly AskedPair[];
  /** Facts that no pair asks for after the last round, as the endpoint says. */
  readonly uncovered: readonly string[];
  /** Pairs left out: their answers are not in the text, or do not follow from it. */
  readonly rejected: number;
  readonly rounds: number;
}

/**
 * Pairs of one passage: asked for, verified, asked for again until the passage's facts are covered and every answer
 * is in the text, or nothing new comes, or the rounds are used up.
 *
 * @param rounds of verifying and asking again
 */
export async function askPassage(passage: Passage, ask: Ask, rounds: number): Promise<AskedPassage> {
  let pairs: AskedPair[] = [];
  let rejected: GivenPair[] = [];
  let refused = 0;
  let round = 0;
  let missing: string[] = [];
  const take = (given: readonly GivenPair[]): number => {
    const before = pairs.length;
    for (const pair of given) {
      const question = questionOf(pair.question);
      if (pairs.some((known) => known.question.toLowerCase() === question.toLowerCase())) continue;
      const span = locate(passage.text, pair.answer, question);
      if (span === null || question.length < 8) rejected.push(pair);
      else pairs.push({ question, answer: passage.text.slice(span.start, span.end), spans: [span], rule: "endpoint" });
    }
    return pairs.length - before;
  };
  take(await ask({ messages: simplePrompt(passage), temperature: 0 }, pairsOf));
  while (round < rounds) {
    round++;
    const verdict = await ask({ messages: verifyPrompt(passage, pairs), temperature: 0 }, verdictOf);
    refused += verdict.wrong.length;
    pairs = pairs.filter((_, i) => !verdict.wrong.includes(i + 1));
    missing = verdict.missing;
    const open = rejected;
    if (missing.length === 0 && open.length === 0) break;
    rejected = [];
    const gained = take(
      await ask({ messages: againPrompt(passage, missing, open), temperature: Math.min(1, round * 0.2) }, pairsOf),
    );
    if (gained === 0) {
      rejected = open;
      break;
    }
    if (round === rounds) break;
    missing = [];
  }
  const combined = await ask({ messages: combinedPrompt(passage), temperature: 0 }, pairsOf);
  const joined = combined.map((pair) => combine(passage, pair)).filter((pair) => pair !== null);
  return {
    pairs: [...pairs, ...joined],
    uncovered: missing,
    rejected: rejected.length + refused + combined.length - joined.length,
    rounds: round,
  };
}

/** A combined answer may be new words; its numbers and names may not be, and its evidence is quoted. */
function combine({ text }: Passage, { question, answer, evidence }: GivenPair): AskedPair | null {
  const spans = evidence.map((quote) => locate(text, quote, question)).filter((span) => span !== null);
  if (spans.length < 2 || spans.length < evidence.length) return null;
  const invented = keyWords(` a ${answer}`).filter((word) => !/\p{N}/u.test(word) && !text.includes(word));
  return invented.length > 0 ? null : { question: questionOf(question), answer, spans, rule: "endpoint-combined" };
}

function questionOf(text: string): string {
  const question = text
    .trim()
    .replace(/\s+/g, " ")
    .replace(/^(?:\d+[.)]|Q:)\s*/, "");
  return question.endsWith("?") ? question : `${question.replace(/[.\s]+$/, "")}?`;
}

function verdictOf(reply: string): { missing: string[]; wrong: number[] } | null {
  const missing = listOf(reply, ["missing", "missing_facts", "uncovered"]);
  const wrong = listOf(reply, ["wrong", "incorrect", "unsupported"]);
  if (missing === null && wrong === null) return null;
  return {
    missing: (missing ?? []).filter((fact) => typeof fact === "string" && fact.trim() !== "") as string[],
    wrong: (wrong ?? []).map(Number).filter(Number.isInteger),
  };
}

/** The passage in other words, every number and name kept; null when no round gives that. */
export async function askParaphrase(passage: Passage, ask: Ask, rounds: number): Promise<string | null> {
  const wanted = keyWords(passage.text);
  let forgotten: string[] = [];
  for (let round = 0; round < rounds; round++) {
    const said = await ask(
      { messages: paraphrasePrompt(passage, forgotten), temperature: Math.min(1, 0.3 + round * 0.1) },
      (reply) => textIn(reply, ["paraphrase", "text", "rewritten"]),
    );
    forgotten = wanted.filter((word) => !said.includes(word));
    const sameLength = said.length > passage.text.length * 0.4 && said.length < passage.text.length * 2.5;
    if (forgotten.length === 0 && sameLength && said.trim() !== passage.text.trim()) return said;
  }
  return null;
}
