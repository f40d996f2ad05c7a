/**
 * The JSON values that a model's reply holds, outermost ones, with what models put around and into them left out:
 * reasoning, code fences, words before and after, commas before a closing bracket.
 */
export function* lenientJson(reply: string): Generator<unknown, void, undefined> {
  const text = reply.replace(/<think>[\s\S]*?(?:<\/think>|$)/g, "");
  for (let from = text.search(/[[{]/); from >= 0; ) {
    const end = closing(text, from);
    const value = end < 0 ? undefined : parsed(text.slice(from, end));
    if (value !== undefined) yield value;
    from = next(text, value === undefined ? from : end - 1);
  }
}

function parsed(text: string): unknown {
  for (const candidate of [text, text.replace(/,(?=\s*[\]}])/g, "")]) {
    try {
      return JSON.parse(candidate);
    } catch {}
  }
  return undefined;
}

/** What `read` makes of the first value that it can use. */
function firstOf<T>(reply: string, read: (value: unknown) => T | null): T | null {
  for (const value of lenientJson(reply)) {
    const found = read(value);
    if (found !== null) return found;
  }
  return null;
}

function next(text: string, from: number): number {
  const at = text.slice(from + 1).search(/[[{]/);
  return at < 0 ? -1 : from + 1 + at;
}

/** The offset after the bracket that closes the one at `from`; -1 when none does. */
function closing(text: string, from: number): number {
  let depth = 0;
  let quoted = false;
  for (let i = from; i < text.length; i++) {
    const letter = text[i]!;
    if (quoted) {
      if (letter === "\\") i++;
      else if (letter === '"') quoted = false;
    } else if (letter === '"') quoted = true;
    else if (letter === "{" || letter === "[") depth++;
    else if ((letter === "}" || letter === "]") && --depth === 0) return i + 1;
  }
  return -1;
}

export interface GivenPair {
  readonly question: string;
  readonly answer: string;
  readonly evidence: readonly string[];
}

/** Pairs of a reply, under the names that models give them; null when it is no list of pairs at all. */
export function pairsOf(reply: string): GivenPair[] | null {
  return firstOf(reply, pairsIn);
}

function pairsIn(json: unknown): GivenPair[] | null {
  const list = Array.isArray(json)
    ? json
    : firstList(json, ["pairs", "qa", "qas", "qa_pairs", "questions", "data", "items"]);
  if (list === null) {
    const one = pairOf(json);
    return one === null ? null : [one];
  }
  const pairs = list.map(pairOf).filter((pair) => pair !== null);
  // An empty list is an answer; a list of something else is not.
  return pairs.length === 0 && list.length > 0 ? null : pairs;
}

function pairOf(value: unknown): GivenPair | null {
  if (Array.isArray(value))
    return typeof value[0] === "string" && typeof value[1] === "string"
      ? pairOf({ question: value[0], answer: value[1] })
      : null;
  const question = textOf(value, ["question", "q", "Question", "Q", "query"]);
  const answer = textOf(value, ["answer", "a", "Answer", "A", "response"]);
  if (question === null || answer === null) return null;
  const evidence = firstList(value, ["evidence", "quotes", "facts", "support"]) ?? [];
  return { question, answer, evidence: evidence.filter((quote) => typeof quote === "string") };
}

export function listOf(reply: string, names: readonly string[]): unknown[] | null {
  return firstOf(reply, (value) => firstList(value, names));
}

export function textIn(reply: string, names: readonly string[]): string | null {
  return firstOf(reply, (value) => textOf(value, names));
}

function firstList(value: unknown, names: readonly string[]): unknown[] | null {
  if (typeof value !== "object" || value === null) return null;
  for (const name of names) {
    const member = (value as Record<string, unknown>)[name];
    if (Array.isArray(member)) return member;
  }
  return null;
}

function textOf(value: unknown, names: readonly string[]): string | null {
  if (typeof value !== "object" || value === null) return null;
  for (const name of names) {
    const member = (value as Record<string, unknown>)[name];
    if (typeof member === "string" && member.trim() !== "") return member.trim();
    if (typeof member === "number") return String(member);
  }
  return null;
}
