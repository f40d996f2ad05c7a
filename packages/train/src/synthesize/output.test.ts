import { describe, expect, it } from "vitest";
import { draftPairs } from "./draft-pairs.ts";
import { draftParaphrases } from "./paraphrase.ts";
import { passageOf } from "./passages.testing.ts";
import { claraParaphrases, claraRecords, recordWriter, toLines } from "./to-lines.ts";
import { unanswerablePairs } from "./unanswerable-pairs.ts";

const rows = [
  "Rain Cape; Price: 89.00; Weight: 290 g",
  "Rain Coat; Price: 99.00; Weight: 390 g",
  "Wool Hat; Price: 19.00; Weight: 55 g",
];
const passages = rows.map((row, at) => passageOf(`Name: ${row}`, { document: "shop.csv", at }));
const pairs = draftPairs(passages);

describe("unanswerablePairs", () => {
  it("puts a question about one record to another, which does not have its name or answer", () => {
    const made = unanswerablePairs(pairs, passages, { share: 1 });
    expect(made.length).toBeGreaterThan(0);
    for (const { passage, from } of made) {
      const { entity, answer } = pairs.find(({ id }) => id === from)!;
      const { text } = passages.find(({ id }) => id === passage)!;
      expect(text).not.toContain(entity);
      expect(text).not.toContain(answer);
    }
    expect(unanswerablePairs(pairs, passages, { share: 1 })).toEqual(made);
  });

  it("needs no more than another name where everything else is alike", () => {
    const tents = ["Nimbus", "Cumulus"].map((name, at) =>
      passageOf(`Name: ${name}; Maximum tested wind speed: ${70 + at} km/h; Price: ${300 + at}`, { at }),
    );
    const made = unanswerablePairs(draftPairs(tents), tents, { share: 1 });
    expect(made.map(({ question }) => question)).toContain("What is the maximum tested wind speed of Nimbus?");
  });

  it("makes none where there is one passage, or none is wanted", () => {
    expect(unanswerablePairs(pairs, passages.slice(0, 1), { share: 1 })).toEqual([]);
    expect(unanswerablePairs(pairs, passages, { share: 0 })).toEqual([]);
  });
});

describe("recordWriter", () => {
  it("writes the answer's place in docs, among distractors that do not hold it", () => {
    const more = [...passages, passageOf("Name: Red Cape; Price: 89.00; Weight: 291 g", { at: 3 })];
    for (const pair of pairs) {
      for (let seed = 0; seed < 8; seed++) {
        const { docs, pos_index, spans, answers, answerable, source, id, title } = recordWriter(more, {
          distractors: 2,
          seed,
        })(pair);
        const [{ doc, start, end }] = spans as [{ doc: number; start: number; end: number }];
        expect(docs).toHaveLength(3);
        expect(pos_index).toEqual([doc]);
        expect([docs[doc]!.slice(start, end)]).toEqual(answers);
        expect(docs.filter((text) => text.includes(answers[0]!))).toHaveLength(1);
        expect({ answerable, source, id }).toEqual({ answerable: true, source: "shop.csv", id: pair.id });
        expect(title).toBe(more.find((passage) => passage.id === pair.passage)!.title);
      }
    }
  });

  it("writes a question without an answer as one", () => {
    const [pair] = unanswerablePairs(pairs, passages, { share: 1 });
    expect(recordWriter(passages)(pair!)).toMatchObject({
      answerable: false,
      answers: [],
      pos_index: [],
      spans: [],
      question: pair!.question,
    });
  });

  it("names a pair whose passage it does not have", () => {
    expect(() => recordWriter([])(pairs[0]!)).toThrow(pairs[0]!.id);
  });
});

describe("the reference's format", () => {
  it("has all questions of a passage on one line, and one document", () => {
    const [first] = claraRecords(pairs, passages);
    expect(first).toEqual({
      data_type: "qa",
      question: [expect.stringMatching(/Rain Cape/), expect.stringMatching(/Rain Cape/)],
      answers: ["89.00", "290 g"],
      docs: ["Name: Rain Cape; Price: 89.00; Weight: 290 g"],
    });
    expect(toLines([first!])).toBe(`${JSON.stringify(first)}\n`);
  });

  it("has the paraphrase as the answer", () => {
    const [paraphrase] = draftParaphrases(passages);
    expect(claraParaphrases([paraphrase!], passages)).toEqual([
      {
        data_type: "paraphrase",
        question: "",
        answers: ["Rain Cape costs 89.00. It weighs 290 g."],
        docs: [passages[0]!.text],
      },
    ]);
  });
});

describe("draftParaphrases", () => {
  it("moves leads and reasons, and keeps every number and name", () => {
    const text =
      "In 2019, the Mill Lane shop opened. Never cook inside the tent, because a stove produces carbon monoxide.";
    expect(draftParaphrases([passageOf(text)])[0]?.text).toBe(
      "The Mill Lane shop opened in 2019. Because a stove produces carbon monoxide, never cook inside the tent.",
    );
  });

  it("leaves out what it can only repeat", () => {
    expect(draftParaphrases([passageOf("Rain fell. Snow fell. Hail fell.")])).toEqual([]);
  });
});
