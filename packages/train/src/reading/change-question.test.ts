import { describe, expect, it } from "vitest";
import { random } from "../random.ts";
import { changeQuestion } from "./change-question.ts";

const changes = (question: string, text = "", others: readonly string[] = []): Set<string | null> =>
  new Set(Array.from({ length: 300 }, (_, seed) => changeQuestion(question, text, others, random(seed))));

describe("changeQuestion", () => {
  it("puts a word in the place of one that excludes it, with what is around as it was", () => {
    expect(changes("Which was the First bridge?")).toEqual(
      new Set(["Which was the last bridge?", "Which was the second bridge?", "Which was the third bridge?"]),
    );
  });

  it("leaves the first word, which says what is asked for", () => {
    expect([...changes("With whom came Ada?")]).not.toContain("without whom came Ada?");
  });

  it("puts a number that the text does not have in the place of one", () => {
    const found = [...changes("Who ruled in 1,200?", "From 1201 to 1240.")];
    expect(found).not.toContain("Who ruled in 1,200?");
    const years = found.flatMap((question) => /^Who ruled in (\d+)\?$/.exec(question ?? "")?.[1] ?? []).map(Number);
    expect(years.length).toBeGreaterThan(20);
    expect(years.every((year) => year >= 1160 && year <= 1240)).toBe(true);
    expect(years.filter((year) => [1200, 1201, 1240].includes(year))).toEqual([]);
  });

  it("never goes below nothing", () => {
    const found = [...changes("Who has 2 of them?")].flatMap((question) => /-\d/.exec(question ?? "") ?? []);
    expect(found).toEqual([]);
  });

  it("takes no name over a sentence's end, and a full stop with an initial or a title only", () => {
    const others = ["They saw St. Malo. Karl slept. Then came J. R. Lund. Why? Nobody knew of Rome."];
    expect(changes("Where was Anna Berg?", "", others)).toEqual(
      new Set(["Where was St. Malo?", "Where was J. R. Lund?", "Where was Rome?"]),
    );
  });

  it("puts a name of the subject that the text does not have in the place of one", () => {
    const others = ["He met Ida Lund and Karl there.", "In May came Anna Berg with Karl too."];
    const found = changes("Where was Anna Berg?", "Once Anna Berg met Karl.", others);
    // Names at a beginning are no names, and the question's and the text's own are not taken.
    expect(found).toEqual(new Set(["Where was Ida Lund?", "Where was May?"]));
    expect(changes("Where was Bo of Rome?", "Bo was there.", ["Then Rome burnt."])).not.toContain(
      "Where was Rome of Rome?",
    );
    const own = changes("Where was Anna Berg?", "Once Anna Berg met Karl.", ["There Anna Berg saw Karl."]);
    expect(own).toEqual(new Set([null, "Where was not Anna Berg?"]));
  });

  it("says not, behind the verb or its subject, when nothing else can be changed", () => {
    expect(changes("Who was the king?")).toEqual(new Set([null, "Who was not the king?"]));
    expect(changes("What does the council control?")).toEqual(new Set([null, "What does the council not control?"]));
    expect(changes("Who was not the king?")).toEqual(new Set([null]));
  });

  it("gives null when no change applies, and the same for the same numbers", () => {
    expect(changes("Why?")).toEqual(new Set([null]));
    expect(changes("")).toEqual(new Set([null]));
    const once = (): unknown => changeQuestion("Who won the 3 first cups?", "", [], random(5));
    expect(once()).toBe(once());
  });
});
