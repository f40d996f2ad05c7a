import { ClaraError } from "@clara/core";
import { describe, expect, it } from "vitest";
import { draftPairs } from "./draft-pairs.ts";
import { passageOf } from "./passages.testing.ts";

/** Every phrasing of every fact, as "question => answer". */
function ask(text: string, options: { title?: string } = {}): string[] {
  return draftPairs([passageOf(text, options)], { phrasings: 9 }).map(
    ({ question, answer }) => `${question} => ${answer}`,
  );
}

describe("draftPairs on sentences", () => {
  it("asks for amounts, durations and measures in the words that people use", () => {
    expect(ask("Last year the workshop repaired 9,400 products.")).toContain(
      "How many products did the workshop repair last year? => 9,400 products",
    );
    expect(ask("Pitching takes one person about 7 minutes.")).toContain(
      "How long does pitching take one person? => about 7 minutes",
    );
    expect(ask("The complete tent weighs 2.15 kg.")).toContain("How much does the complete tent weigh? => 2.15 kg");
    expect(ask("The inner tent is 108 cm high at its tallest point.")).toContain(
      "How high is the inner tent at its tallest point? => 108 cm",
    );
    expect(ask("A new zip costs 34.00 euros.")).toContain("How much does a new zip cost? => 34.00 euros");
  });

  it("asks when, with the date at the front or the end of its sentence", () => {
    expect(ask("The first shop opened on Harbour Street in 2011.")).toContain(
      "When did the first shop open on Harbour Street? => 2011",
    );
    expect(ask("In 1969, the crew returned to the base.")).toContain(
      "In what year did the crew return to the base? => 1969",
    );
    expect(ask("On 24 December all shops close at 14:00.")).toEqual(
      expect.arrayContaining([
        "When do all shops close at 14:00? => 24 December",
        "At what time do all shops close on 24 December? => 14:00",
      ]),
    );
    expect(ask("We have not used fluorinated repellents since 2020.")).toContain(
      "Since when have you not used fluorinated repellents? => 2020",
    );
  });

  it("asks who, where, what and why", () => {
    expect(ask("Sarah Miller founded the company in 2009.")).toContain(
      "Who founded the company in 2009? => Sarah Miller",
    );
    expect(ask("Our jackets are sewn in Braga, Portugal.")).toContain(
      "Where are your jackets sewn? => Braga, Portugal",
    );
    expect(ask("Brindlow makes knitwear from merino wool.")).toContain(
      "What does Brindlow make from merino wool? => knitwear",
    );
    expect(ask("Tarnmoor is an Irish clothing shop.")).toContain("What is Tarnmoor? => an Irish clothing shop");
    expect(ask("Never cook inside the tent, because a stove produces carbon monoxide.")).toContain(
      "Why should you never cook inside the tent? => a stove produces carbon monoxide",
    );
    expect(ask("If the outsole loses traction, clean the treads.")).toContain(
      "What should you do if the outsole loses traction? => clean the treads",
    );
    expect(ask("Remove tree resin with a little cooking oil.")).toContain(
      "What should you remove tree resin with? => a little cooking oil",
    );
  });

  it("does not ask what only who has read the text would understand", () => {
    expect(ask("It was founded in 2009.")).toEqual([]);
    expect(ask("This made them famous in 1999.")).toEqual([]);
    expect(ask("Does it rain in Braga? Nobody knows.")).toEqual([]);
    expect(ask("")).toEqual([]);
  });

  it("reads past Markdown, and answers with the text's own letters", () => {
    const text = "The **[warranty](warranty.md)** lasts **24 months** for all tents.";
    const [pair] = draftPairs([passageOf(text)], { rules: ["time"] });
    expect(pair).toMatchObject({
      question: "How long does the warranty last for all tents?",
      answer: "24 months",
      start: text.indexOf("24"),
      rule: "time",
    });
    expect(text.slice(pair!.start, pair!.end)).toBe(pair!.answer);
  });
});

describe("draftPairs on marks", () => {
  it("keeps both or none of a pair of marks", () => {
    expect(ask("The hook returns a value called `data`.")).toContain(
      "What does the hook return? => a value called `data`",
    );
  });
});

describe("draftPairs on forms", () => {
  it("asks for each value of a record by the record's name", () => {
    const asked = ask(
      "Product: Stormhaven Rain Jacket; SKU: TM-240; Price: 189.00; Weight: 385 g; Colours: green, black; Waterproof: Yes; ID: 17; URL: https://x.example",
    );
    expect(asked).toEqual(
      expect.arrayContaining([
        "How much does Stormhaven Rain Jacket cost? => 189.00",
        "How heavy is Stormhaven Rain Jacket? => 385 g",
        "Which colours does Stormhaven Rain Jacket come in? => green, black",
        "Is Stormhaven Rain Jacket waterproof? => Yes",
        "What is the SKU of Stormhaven Rain Jacket? => TM-240",
      ]),
    );
    expect(asked.join()).not.toMatch(/17|x\.example/);
  });

  it("says the and are where a name wants them", () => {
    const jacket = passageOf("Name: Storm Rain Jacket; Weight: 385 g; Size: M", { at: 1 });
    const socks = passageOf("Name: Storm Socks; Weight: 35 g; Size: M", { at: 2 });
    const words = passageOf("A jacket keeps you dry. Good socks do as well.", { at: 3 });
    const questions = draftPairs([jacket, socks, words], { rules: ["record"], phrasings: 9 }).map(
      ({ question }) => question,
    );
    expect(questions).toContain("How much does the Storm Rain Jacket weigh?");
    expect(questions).toContain("How heavy are the Storm Socks?");
  });

  it("asks for cells of a table by row and column, and of one with two columns by what the page is about", () => {
    expect(ask("| Country | Standard cost |\n| --- | --- |\n| Ireland | 4.50 euros |")).toContain(
      "What is the standard cost in Ireland? => 4.50 euros",
    );
    expect(ask("| Day | Mill Lane |\n|---|---|\n| Monday | 9:00 to 17:30 |")).toContain(
      "When is Mill Lane open on Monday? => 9:00 to 17:30",
    );
    expect(ask("| Property | Value |\n|---|---|\n| Packed size | 44 x 15 cm |", { title: "Skarrow" })).toContain(
      "What is the packed size of Skarrow? => 44 x 15 cm",
    );
  });

  it("takes questions that a document asks itself, with a bare yes and what follows it", () => {
    expect(ask("### Can I rent a tent?\n\nYes. At the Station Square shop. More later.")).toContain(
      "Can I rent a tent? => Yes. At the Station Square shop",
    );
    expect(ask("question: Is it dry?; answer: The bag is dry.")).toEqual(["Is it dry? => The bag is dry"]);
    expect(ask("Q: Who pays?\nA: The shop pays.")).toContain("Who pays? => The shop pays");
  });

  it("asks for defaults and settings of programs", () => {
    expect(ask("The `staleTime` option defaults to `0`.")).toContain("What is the default value of staleTime? => 0");
    expect(ask("```yaml\nretrieval:\n  top_k: 5 # best\n```")).toContain("What is top_k set to? => 5");
    expect(ask("```js\nconst top_k = 5;\n```")).toEqual([]);
  });

  it("asks for steps and counted items of lists under headings that say of what", () => {
    expect(ask("## Pitching the tent\n\n1. Choose level ground.\n2. Open the bag.")).toContain(
      "What is step 2 of pitching the tent? => Open the bag",
    );
    expect(ask("## What is in the bag\n\n- 14 aluminium pegs")).toContain(
      "How many aluminium pegs are in the bag? => 14 aluminium pegs",
    );
  });
});

describe("draftPairs", () => {
  const texts = ["Mill Lane opened in 2015. The seal lasts 2 years.", "Name: Rain Cape; Price: 89.00; Weight: 290 g"];
  const passages = texts.map((text, at) => passageOf(text, { at }));

  it("gives the same pairs for the same seed, and other phrasings for another", () => {
    expect(draftPairs(passages, { seed: 3 })).toEqual(draftPairs(passages, { seed: 3 }));
    const all = Array.from({ length: 20 }, (_, seed) =>
      draftPairs(passages, { seed })
        .map(({ question }) => question)
        .join(),
    );
    expect(new Set(all).size).toBeGreaterThan(1);
  });

  it("draws for a passage whatever stands before it", () => {
    const alone = draftPairs([passages[1]!], { seed: 3 });
    expect(draftPairs(passages, { seed: 3 }).slice(-alone.length)).toEqual(alone);
  });

  it("asks a question of one passage only", () => {
    expect(
      draftPairs([passageOf("The seal lasts 2 years."), passageOf("The seal lasts 3 years.", { at: 1 })], {
        rules: ["time"],
      }),
    ).toHaveLength(1);
  });

  it("refuses rules that are not there, and no phrasing at all", () => {
    expect(() => draftPairs(passages, { rules: ["poem" as never] })).toThrow(ClaraError);
    expect(() => draftPairs(passages, { phrasings: 0 })).toThrow("at least 1, got 0");
  });

  it("copes with what is no text, quickly", () => {
    const strange = [
      "\0\uD800 �",
      "|||||\n|---|",
      "a: b; ".repeat(2000),
      "x".repeat(200_000),
      "1. ".repeat(500),
      "[".repeat(5000),
      "is ".repeat(3000),
    ];
    for (const text of strange)
      for (const { answer, start, end } of draftPairs([passageOf(text)])) expect(text.slice(start, end)).toBe(answer);
  });
});
