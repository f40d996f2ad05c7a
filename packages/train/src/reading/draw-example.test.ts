import { describe, expect, it } from "vitest";
import { random } from "../random.ts";
import { readingCorpus } from "./corpus.ts";
import { wordRanges } from "./crop.ts";
import { type DrawOptions, drawExample, type ReadingExample, type ReadingMix, removeSentence } from "./draw-example.ts";
import type { SpanRecord } from "./span-record.ts";
import { townRecords } from "./towns.testing.ts";

const corpus = readingCorpus(townRecords);
const nothing: ReadingMix = { whole: 0, windows: 0, other: 0, removed: 0, changed: 0 };

interface Drawn {
  readonly record: SpanRecord;
  readonly said: string;
  readonly example: ReadingExample;
  /** The text of each fragment. */
  readonly shown: readonly string[];
}

/** Each record, `times` times. */
function draw(mix: Partial<ReadingMix>, times = 6, options: Omit<DrawOptions, "mix"> = {}): Drawn[] {
  return townRecords.flatMap((record, i) =>
    Array.from({ length: times }, (_, time) => {
      const example = drawExample(record, corpus, { mix: { ...nothing, ...mix }, ...options }, random(i, time));
      const shown = example.fragments.map(({ evidence, start, end }) => example.texts[evidence]!.slice(start, end));
      return { record, said: record.text.slice(record.answer!.start, record.answer!.end), example, shown };
    }),
  );
}

const share = (drawn: readonly Drawn[], of: (one: Drawn) => boolean): number => drawn.filter(of).length / drawn.length;

/** The answer of an example, from its own texts. */
function answered({ texts, answer }: ReadingExample): string | undefined {
  return answer === null ? undefined : texts[answer.evidence]!.slice(answer.start, answer.end);
}

describe("drawExample", () => {
  it("shows the text whole, or a run of its words around the answer", () => {
    const drawn = draw({ whole: 1 }, 6, { mostWords: 12, cropped: 0 });
    for (const { record, said, example, shown } of drawn) {
      expect(example).toMatchObject({ id: record.id, question: record.question, texts: [record.text] });
      expect(answered(example)).toBe(said);
      expect(shown).toHaveLength(1);
      expect(shown[0]).toContain(said);
      expect(wordRanges(shown[0]!)).toHaveLength(12);
    }
    for (const { record, shown } of draw({ whole: 1 }, 1)) expect(shown).toEqual([record.text]);
  });

  it("cuts as many whole texts as asked for to 40 words and more", () => {
    const long: SpanRecord = { ...townRecords[0]!, text: `${townRecords[0]!.text} ${"And more. ".repeat(150)}` };
    const lengths = Array.from({ length: 400 }, (_, seed) => {
      const mix = { ...nothing, whole: 1 };
      const { fragments } = drawExample(long, corpus, { mix, cropped: 0.25 }, random(seed));
      return wordRanges(long.text.slice(fragments[0]!.start, fragments[0]!.end)).length;
    });
    const short = lengths.filter((length) => length < 220);
    expect(Math.abs(short.length / lengths.length - 0.25)).toBeLessThan(0.06);
    expect(short.every((length) => length >= 40 && length < 130)).toBe(true);
    expect(Math.max(...lengths)).toBe(220);
  });

  it("shows windows that do not overlap, with the answer whole in one of them or in none", () => {
    const drawn = draw({ windows: 1 }, 20);
    for (const { record, said, example, shown } of drawn) {
      expect(example.question).toBe(record.question);
      const own = example.fragments.filter(({ evidence }) => evidence === 0);
      for (const [i, { start, end }] of own.entries()) {
        expect(own.slice(i + 1).every((other) => other.start >= end || other.end <= start)).toBe(true);
      }
      expect(own.map(({ start }) => start)).toEqual(own.map(({ start }) => start).sort((a, b) => a - b));
      if (example.answer === null) expect(shown.join(" | ")).not.toContain(said);
      else expect(shown.filter((_, i) => example.fragments[i]!.evidence === 0).join(" | ")).toContain(said);
      expect([undefined, said]).toContain(answered(example));
      const strangers = example.texts.slice(1);
      expect(strangers.every((text) => text !== record.text && corpus.texts(record.group).includes(text))).toBe(true);
    }
    // Four in five, and those of the others for which nothing else is found to show.
    expect(share(drawn, ({ example }) => example.answer !== null)).toBeGreaterThan(0.75);
    expect(share(drawn, ({ example }) => example.answer === null)).toBeGreaterThan(0.05);
    expect(share(drawn, ({ example }) => example.texts.length > 1)).toBeGreaterThan(0.2);
    expect(share(drawn, ({ example }) => example.fragments.length > 1)).toBeGreaterThan(0.2);
  });

  it("shows another text of the subject, which does not have the answer", () => {
    for (const { record, said, example, shown } of draw({ other: 1 })) {
      expect(example).toMatchObject({ id: record.id, question: record.question, answer: null });
      expect(shown[0]).not.toContain(said);
      expect(corpus.texts(record.group)).toContain(example.texts[0]);
      expect(example.texts).not.toContain(record.text);
    }
  });

  it("prefers another text that shares the question's words", () => {
    const record = townRecords[0]!; // asks for the bridge
    const like = { ...record, id: "like", text: "A bridge in Arden opened and opened again." };
    const records = [record, like, { ...record, id: "unlike", text: "It rains." }];
    const texts = Array.from({ length: 200 }, (_, seed) => {
      const options = { mix: { ...nothing, other: 1 } };
      return drawExample(record, readingCorpus(records), options, random(seed)).texts[0];
    });
    // As many are looked at as there are, with repetitions: here one of the two in every second example, and not this one in every fourth.
    expect(texts.filter((text) => text === like.text).length / 200).toBeGreaterThan(0.65);
  });

  it("shows the text without the sentence that answers", () => {
    for (const { record, said, example, shown } of draw({ removed: 1 })) {
      expect(example).toMatchObject({ question: record.question, answer: null });
      expect(shown[0]).not.toContain(said);
      expect(shown[0]!.length).toBeGreaterThan(record.text.length / 2);
      expect(record.text).toContain(shown[0]!.slice(-60));
    }
  });

  it("asks something else of the text that the text does not answer", () => {
    const drawn = draw({ changed: 1 });
    const changed = drawn.filter(({ example }) => example.answer === null);
    expect(changed.length / drawn.length).toBeGreaterThan(0.95);
    for (const { record, example } of changed) {
      expect(example.texts).toEqual([record.text]);
      expect(example.question).not.toBe(record.question);
      // A question borrowed from another text: its answer is not in this one.
      const borrowed = townRecords.find(({ question }) => question === example.question);
      if (borrowed === undefined) continue;
      expect(borrowed.group).toBe(record.group);
      expect(record.text).not.toContain(borrowed.text.slice(borrowed.answer!.start, borrowed.answer!.end));
    }
    const known = ({ example }: Drawn): boolean => townRecords.some(({ question }) => question === example.question);
    expect(share(changed, known)).toBeGreaterThan(0.2);
    expect(share(changed, known)).toBeLessThan(0.6);
  });

  it("mixes the kinds as it is told", () => {
    const drawn = draw({ whole: 0.4, other: 0.3, removed: 0.2, changed: 0.1 }, 30);
    const near = (of: (one: Drawn) => boolean, wanted: number): void => {
      expect(Math.abs(share(drawn, of) - wanted)).toBeLessThan(0.04);
    };
    near(({ example }) => example.answer !== null, 0.4);
    near(
      ({ record, example }) => corpus.texts(record.group).some((t) => t === example.texts[0] && t !== record.text),
      0.3,
    );
    near(({ example }) => corpus.questions(example.texts[0]!).length === 0, 0.2);
    near(({ record, example }) => example.question !== record.question, 0.1);
  });

  it("takes neither texts that mention the answer nor questions that the text answers", () => {
    const record = townRecords[0]!;
    const text = "In the end it was ANNA ADAMS who came to this bridge.";
    const loud = { ...record, id: "loud", question: "Where was she?", text, answer: { start: 46, end: 52 } };
    const asked = { ...record, id: "asked", question: "Where do they sell?", text: "On the market." };
    const near = readingCorpus([record, loud, { ...asked, answer: { start: 7, end: 13 } }]);
    for (let seed = 0; seed < 60; seed++) {
      const of = (kind: keyof ReadingMix): ReadingExample =>
        drawExample(record, near, { mix: { ...nothing, [kind]: 1 } }, random(seed));
      expect(of("windows").texts).not.toContain(loud.text);
      expect(of("other").texts).toEqual([asked.text]);
      expect([asked.question, loud.question]).not.toContain(of("changed").answer === null && of("changed").question);
    }
  });

  it("shows the text whole where a kind does not apply", () => {
    const alone: SpanRecord = {
      ...townRecords[0]!,
      text: "who is Anna Adams",
      answer: { start: 7, end: 17 },
      question: "Why?",
    };
    for (const kind of ["other", "removed", "changed"] as const) {
      const example = drawExample(alone, readingCorpus([alone]), { mix: { ...nothing, [kind]: 1 } }, random(1));
      expect(answered(example), kind).toBe("Anna Adams");
    }
    const silent: SpanRecord = { ...alone, answer: null };
    for (let seed = 0; seed < 20; seed++) {
      const example = drawExample(silent, corpus, { mix: { ...nothing, windows: 1 } }, random(seed));
      expect(example).toMatchObject({ question: "Why?", texts: [silent.text], answer: null });
    }
  });

  it("shows as many examples under their title as it is told, and otherwise the same ones", () => {
    const mix = { whole: 0.5, windows: 0.5 };
    const titled = draw(mix, 20, { titled: 0.5 });
    const plain = draw(mix, 20);
    titled.forEach(({ record, example: { titles, ...example } }, i) => {
      expect(example).toEqual(plain[i]!.example);
      if (titles) expect(titles).toEqual(example.texts.map(() => record.title));
    });
    expect(Math.abs(share(titled, ({ example }) => example.titles !== undefined) - 0.5)).toBeLessThan(0.05);
    expect(plain.every(({ example }) => example.titles === undefined)).toBe(true);
  });

  it("draws the same for the same numbers", () => {
    const mix = { whole: 0.2, windows: 0.2, other: 0.2, removed: 0.2, changed: 0.2 };
    expect(draw(mix, 2)).toEqual(draw(mix, 2));
  });
});

describe("removeSentence", () => {
  const words = "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen";
  const text = `He came. Dr Who said "no." Then ${words}. So it ended.`;
  const without = (said: string): string | null => {
    const start = text.indexOf(said);
    return removeSentence(text, { start, end: start + said.length });
  };

  it("takes out the sentences that the range is in, first, inner or last", () => {
    expect(without("He")).toBe(`Dr Who said "no." Then ${words}. So it ended.`);
    expect(without("Dr")).toBe(`He came. Then ${words}. So it ended.`);
    expect(without("Who")).toBe(`He came. Then ${words}. So it ended.`);
    expect(without("ended")).toBe(`He came. Dr Who said "no." Then ${words}.`);
    expect(without("came. Dr")).toBe(`Then ${words}. So it ended.`);
  });

  it("is null when fewer than 15 words are left", () => {
    expect(without("seven")).toBeNull();
    expect(removeSentence(words, { start: 0, end: 3 })).toBeNull();
    const last = (text: string): string | null =>
      removeSentence(`${text}. So it ended.`, { start: text.length + 2, end: text.length + 4 });
    expect(last(words)).toBe(`${words}.`);
    expect(last(words.slice(4))).toBeNull();
  });
});
