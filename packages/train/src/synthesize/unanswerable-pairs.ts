import type { Passage } from "@clara/core";
import { random } from "../random.ts";
import { type Draft, hashOf } from "./draft-pairs.ts";
import type { UnanswerablePair } from "./pair.ts";
import { tokens } from "./text/tokens.ts";
import { determiners, prepositions } from "./text/words.ts";

export interface UnanswerableOptions {
  /** Unanswerable questions for one answerable pair, 0 to 1. @default 0.25 */
  readonly share?: number;
  /** @default 0 */
  readonly seed?: number;
}

const candidates = 24;

/**
 * Questions put to a passage that does not answer them: those of another passage, as like it as can be found among a
 * few (of the same document, of the same kind of record). A passage that holds the answer's words, or what the
 * question asks about with all of the question's other words, is never chosen.
 */
export function unanswerablePairs(
  drafts: readonly Draft[],
  passages: readonly Passage[],
  { share = 0.25, seed = 0 }: UnanswerableOptions = {},
): UnanswerablePair[] {
  if (passages.length < 2) return [];
  const places = new Map(passages.map(({ id }, i) => [id, i]));
  const words = passages.map(
    ({ text, title }) => new Set(tokens(`${title}\n${text}`.toLowerCase()).map(({ text: word }) => word)),
  );
  const pairs: UnanswerablePair[] = [];
  for (const draft of drafts) {
    const rng = random(seed, hashOf(draft.id), 1);
    if (!rng.chance(share)) continue;
    const home = places.get(draft.passage)!;
    const asked = contentWords(draft.question);
    let best: { index: number; like: number } | null = null;
    for (let i = 0; i < candidates; i++) {
      // Half of them from near by: neighbours are about the same things.
      const index =
        i % 2 === 0 ? rng.below(passages.length) : Math.min(passages.length - 1, Math.max(0, home + rng.below(17) - 8));
      if (index === home || answers(draft, passages[index]!, words[index]!, asked)) continue;
      const like =
        asked.filter((word) => words[index]!.has(word)).length +
        (passages[index]!.document === passages[home]!.document ? 0.5 : 0);
      if (best === null || like > best.like) best = { index, like };
    }
    if (best === null || best.like < 1) continue;
    const { id } = passages[best.index]!;
    pairs.push({ id: `${draft.id}@${id}`, passage: id, question: draft.question, rule: draft.rule, from: draft.id });
  }
  return pairs;
}

/** Whether a passage may answer a question, told generously. */
function answers(draft: Draft, passage: Passage, words: ReadonlySet<string>, asked: readonly string[]): boolean {
  if (passage.text.toLowerCase().includes(draft.answer.toLowerCase())) return true;
  const missing = asked.filter(
    (word) => !words.has(word) && !words.has(word.replace(/s$/, "")) && !words.has(`${word}s`),
  );
  // A record without the entity's name is about another one, whatever else it says.
  if (draft.entity !== null && draft.entity !== "" && contentWords(draft.entity).some((word) => !words.has(word)))
    return false;
  return missing.length < Math.max(1, Math.ceil(asked.length / 3));
}

const asking = new Set(
  "what who whom when where why how which many much long often does did do is are was were the should can i you your have has had will would could".split(
    " ",
  ),
);

function contentWords(text: string): string[] {
  return [...new Set(tokens(text.toLowerCase()).map(({ text: word }) => word))].filter(
    (word) => /[\p{L}\p{N}]/u.test(word) && !asking.has(word) && !determiners.has(word) && !prepositions.has(word),
  );
}
