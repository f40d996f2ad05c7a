import { describe, expect, it } from "vitest";
import { quotesOfReply, readReply } from "./chat-reply.ts";

describe("readReply", () => {
  it.each([
    ['30 days\nQuote: "within 30 days of delivery"', "30 days", ["within 30 days of delivery"]],
    [' **Answer:** 30 days.\n\n**Quote:** "within 30 days."\n', "30 days.", ["within 30 days"]],
    ["30 days Quote: “within 30 days”", "30 days", ["within 30 days"]],
    ["30 days\n> quote 1: within 30 days\n> quote 2: of delivery", "30 days", ["within 30 days", "of delivery"]],
    ["30 days\nQuotes:\n- “within 30 days”\n2. 'of delivery'", "30 days", ["within 30 days", "of delivery"]],
    [
      '30 days\nQuote: "Unworn jackets … 30 days [...] of delivery"',
      "30 days",
      ["Unworn jackets", "30 days", "of delivery"],
    ],
    ['They are taken back "within 30 days".', 'They are taken back "within 30 days".', ["within 30 days"]],
    ['Quote: "within 30 days"', "within 30 days", ["within 30 days"]],
    ["<think>Is it 30?\nQuote: no</think>\n30 days", "30 days", []],
    ["It was 30?</think>30 days", "30 days", []],
    ["The quote: nobody knows", "The quote: nobody knows", []],
  ])("takes %j apart", (text, answer, claims) => {
    expect(readReply(text)).toEqual({ answer, claims, declined: false });
  });

  it.each([
    "The documents do not have the answer.",
    "the documents do not have the answer",
    '**"The documents do not have the answer."**',
    "Answer: The documents do not have the answer. They are about tents.",
    'The documents do not say who won.\nQuote: "tents"',
    "Sorry, the provided context doesn’t mention this.",
    "None of the documents mention a world cup.",
    "There is no information about it.",
    "I'm sorry, but I cannot find this in the documents.",
    "I don't know.",
    "This is not mentioned in the documents.",
    "Not specified",
  ])("knows that %j is no answer", (text) => {
    expect(readReply(text).declined).toBe(true);
  });

  it.each([
    "Not available in XL",
    "No",
    "The document does not allow dogs",
    "No information is kept",
    "There is no fee",
    "0 days",
  ])("takes %j for an answer", (text) => {
    expect(readReply(text).declined).toBe(false);
  });
});

describe("quotesOfReply", () => {
  const text = "Unworn jackets can be\nreturned within 30 days - the customer’s receipt (“slip”) is needed. Keep it.";
  const shown = [
    { evidence: "tents", text: "The Skarrow 2 weighs 2.15 kg.", start: 0 },
    { evidence: "returns", text: text.slice(7), start: 7 },
  ];
  const quotes = (reply: string) => quotesOfReply(readReply(reply), shown);

  it("finds words of the evidence as they stand there, by offsets into all of its text", () => {
    const reply = 'Yes\nQuote: "JACKETS can be returned within 30 days — the customer\'s receipt ("slip")"';
    const [quote] = quotes(reply);
    const found = "jackets can be\nreturned within 30 days - the customer’s receipt (“slip”)";
    expect(quotes(reply)).toHaveLength(1);
    expect(quote).toEqual({ evidence: "returns", text: found, start: 7, end: 7 + found.length });
    expect(text.slice(quote!.start, quote!.end)).toBe(found);
  });

  it("leaves out what is invented, cut within a word, or was not shown", () => {
    expect(quotes('60 days\nQuote: "returned within 60 days"')).toEqual([]);
    expect(quotes('it\nQuote: "ackets can be returned"')).toEqual([]);
    expect(quotes('it\nQuote: "Unworn jackets can be returned"')).toEqual([]);
    expect(quotes("some days")).toEqual([]);
  });

  it("takes a lone word for a quote only where it is the answer, and a yes or no never", () => {
    expect(quotes('It depends\nQuote: "Keep"')).toEqual([]);
    expect(quotes('Keep the slip\nQuote: "Keep"')).toMatchObject([{ text: "Keep" }]);
    expect(
      quotesOfReply({ answer: "No", claims: ["No"], declined: false }, [{ evidence: "a", text: "No dogs.", start: 0 }]),
    ).toEqual([]);
  });

  it("finds an answer in the document's own words without being told where", () => {
    expect(quotes("2.15 kg")).toEqual([{ evidence: "tents", text: "2.15 kg", start: 21, end: 28 }]);
    expect(quotes('2.15 kg\nQuote: "weighs 2 kg"')).toMatchObject([{ text: "2.15 kg" }]);
    expect(quotes("30")).toMatchObject([{ text: "30" }]);
    expect(quotes('30\nQuote: "after 30 years"')).toEqual([]);
  });

  it("gives a quote once, without those inside it", () => {
    const reply =
      'It is "within 30 days"\nQuote: "returned within 30 days"\nQuote: "returned within 30 days."\nQuote: "2.15 kg"';
    expect(quotes(reply).map((quote) => quote.text)).toEqual(["returned within 30 days", "2.15 kg"]);
  });
});
