import type { Random } from "../random.ts";

/** Words whose exchange turns what is asked into something else. Each list holds words that exclude one another. */
const opposites: readonly (readonly string[])[] = [
  ["first", "last", "second", "third"],
  ["north", "south"],
  ["northern", "southern"],
  ["east", "west"],
  ["eastern", "western"],
  ["before", "after"],
  ["largest", "smallest"],
  ["highest", "lowest"],
  ["most", "least"],
  ["more", "less"],
  ["increase", "decrease"],
  ["increased", "decreased"],
  ["began", "ended"],
  ["begin", "end"],
  ["start", "stop"],
  ["started", "stopped"],
  ["won", "lost"],
  ["win", "lose"],
  ["born", "buried"],
  ["oldest", "youngest", "newest"],
  ["earliest", "latest"],
  ["longest", "shortest"],
  ["maximum", "minimum"],
  ["above", "below"],
  ["inside", "outside"],
  ["old", "new"],
  ["with", "without"],
  ["major", "minor"],
  ["allowed", "forbidden"],
  ["winner", "loser"],
  ["founded", "abolished"],
  ["joined", "left"],
  ["majority", "minority"],
  ["male", "female"],
  ["father", "mother"],
  ["son", "daughter"],
  ["january", "march", "july", "november"],
  ["monday", "thursday", "saturday"],
];
const excluding = new Map(opposites.flatMap((list) => list.map((word) => [word, list] as const)));

/**
 * A run of capitalised words that does not begin a sentence. A full stop belongs to it after an initial or a title only: one
 * at its end would tell that the question was changed.
 */
const names =
  /(?<=[^\s.!?]\s)(?:(?:\p{Lu}|Dr|Mrs?|Ms|St)\.\s)*\p{Lu}[\p{L}'’-]+(?:\s(?:\p{Lu}\.\s)*\p{Lu}[\p{L}'’-]+)*/gu;
const numbers = /\b\d[\d,.]*\d\b|\b\d\b/gu;

/**
 * The question changed so that its text very likely no longer answers it, though it looks as if: an opposite word, a
 * number that the text does not have, a name of the same subject that the text does not have, or a "not".
 *
 * @param text what the unchanged question is answered by.
 * @param others texts of the same subject: where names come from.
 * @returns null when no change applies.
 * @see Rajpurkar et al. 2018, "Know What You Don't Know", table 1: the kinds of unanswerable questions that people
 *   write. https://arxiv.org/abs/1806.03822
 */
export function changeQuestion(question: string, text: string, others: readonly string[], rng: Random): string | null {
  const ways = [
    () => oppose(question, rng),
    () => renumber(question, text, rng),
    () => rename(question, text, others, rng),
    () => negate(question),
  ];
  // Negation is the weakest: it is tried last, and at random.
  const order = rng.chance(0.5) ? [2, 0, 1] : [0, 1, 2];
  for (const way of order) {
    const changed = ways[way]!();
    if (changed !== null && changed !== question) return changed;
  }
  return rng.chance(0.3) ? ways[3]!() : null;
}

function oppose(question: string, rng: Random): string | null {
  const found = [...question.matchAll(/\p{L}+/gu)].filter(
    ({ 0: word, index }) => index > 0 && excluding.has(word.toLowerCase()),
  );
  if (found.length === 0) return null;
  const { 0: word, index } = rng.pick(found);
  const other = rng.pick(excluding.get(word.toLowerCase())!.filter((option) => option !== word.toLowerCase()));
  return `${question.slice(0, index)}${other}${question.slice(index + word.length)}`;
}

function renumber(question: string, text: string, rng: Random): string | null {
  const found = [...question.matchAll(numbers)];
  if (found.length === 0) return null;
  const { 0: digits, index } = rng.pick(found);
  const value = Number(digits.replaceAll(",", ""));
  if (!Number.isFinite(value)) return null;
  const step = 1 + rng.below(Math.max(3, Math.min(40, Math.round(value / 10))));
  const other = String(rng.chance(0.5) || value <= step ? value + step : value - step);
  return text.includes(other) ? null : `${question.slice(0, index)}${other}${question.slice(index + digits.length)}`;
}

function rename(question: string, text: string, others: readonly string[], rng: Random): string | null {
  const found = [...question.matchAll(names)];
  if (found.length === 0 || others.length === 0) return null;
  const { 0: name, index } = rng.pick(found);
  const foreign = [...rng.pick(others).matchAll(names)]
    .map((match) => match[0])
    .filter((other) => !text.includes(other) && !question.includes(other));
  return foreign.length === 0
    ? null
    : `${question.slice(0, index)}${rng.pick(foreign)}${question.slice(index + name.length)}`;
}

function negate(question: string): string | null {
  const match = /\b(is|was|are|were|did|does|do|can|could|would|has|have|had)\b(?!\s+not\b)/iu.exec(question);
  if (match === null) return null;
  // "Who was not the …", "What does the council not control?"
  const at = match.index + match[0].length;
  const verb = match[0].toLowerCase();
  if (/^(?:did|do|does|can|could|would|has|have|had)$/.test(verb)) {
    const rest = /^(\s+(?:the\s+)?\S+)(.*)$/u.exec(question.slice(at));
    return rest === null ? null : `${question.slice(0, at)}${rest[1]} not${rest[2]}`;
  }
  return `${question.slice(0, at)} not${question.slice(at)}`;
}
