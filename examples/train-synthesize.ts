import { checkPairs, draftPairs, recordWriter } from "@clara/train";

const text = `Tarnmoor Outfitters is an Irish outdoor shop. The first shop opened on Harbour Street in 2011.
The complete tent weighs 2.15 kg. Remove tree resin with a little cooking oil.`;
const passages = [
  { id: "about#0", document: "about.md", title: "About", text, start: 0, end: text.length, metadata: {} },
  {
    id: "prices#0",
    document: "prices.csv",
    title: "Prices",
    text: "Product: Rain Cape; Price: 89.00; Colours: green, black",
    start: 0,
    end: 55,
    metadata: {},
  },
];

// Questions by rules, each with its answer's place in the passage.
const drafts = draftPairs(passages, { seed: 1 });

// A reader checks each of them. This one knows numbers only; the command line asks the embedded model.
const check = async (_question: string, passage: { text: string }) => {
  const number = /\d[\d.]*( kg)?/.exec(passage.text);
  return number && { answer: number[0], start: number.index, end: number.index + number[0].length, margin: 1 };
};
const write = recordWriter(passages);
for await (const { pair, verdict } of checkPairs(drafts, new Map(passages.map((p) => [p.id, p])), check)) {
  console.log(`${verdict.padEnd(8)} ${pair.question}  ${pair.answer}`);
  if (verdict === "found") console.log(JSON.stringify(write(pair).spans));
}
