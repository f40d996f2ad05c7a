import { createReadStream, existsSync } from "node:fs";
import { createInterface } from "node:readline";
import { createGunzip } from "node:zlib";
import { describe, expect, it } from "vitest";
import type { EvaluationRecord } from "../records.ts";
import { type ReadDatasetOptions, readDataset } from "./read-dataset.ts";

const shared = new URL("../../../../../shared/data/", import.meta.url);

async function read(source: string | readonly string[], options?: ReadDatasetOptions): Promise<EvaluationRecord[]> {
  return all(readDataset(typeof source === "string" ? source.split("\n") : source, "data", options));
}

async function all<T>(values: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = [];
  for await (const value of values) list.push(value);
  return list;
}

const json = (...values: unknown[]): string[] => values.map((value) => JSON.stringify(value));

const hotpot = {
  _id: "h1",
  question: "Which river flows through the town where Ada Brook was born?",
  answer: "Lune",
  supporting_facts: [
    ["Ada Brook", 0],
    ["Harwick", 1],
  ],
  context: [
    ["Ada Brook", ["Ada Brook was a painter.", " She was born in Harwick."]],
    ["Empty", [""]],
    ["Oster", ["Oster is a town.", "It has a mill."]],
    ["Harwick", ["Harwick is a town.", " The Lune flows through it."]],
  ],
};

const musique = {
  id: "2hop__1_2",
  question: "Who founded the maker of the Skarrow tent?",
  answer: "Mara Finch",
  answer_aliases: ["M. Finch", "Mara Finch"],
  answerable: true,
  paragraphs: [
    { idx: 0, title: "Skarrow", paragraph_text: "The Skarrow is a tent by Finch & Co.", is_supporting: true },
    { idx: 1, title: "Tents", paragraph_text: "A tent is a shelter.", is_supporting: false },
    { idx: 2, title: "Finch & Co", paragraph_text: "It was founded by Mara Finch.", is_supporting: true },
  ],
};

const nq = {
  question: "who owns the mill",
  answers: ["Ida Vale", "Vale"],
  ctxs: [
    { title: "Mills", text: "A mill grinds.", hasanswer: true, isgold: false },
    { title: "The mill", text: "Ida Vale owns the mill.", hasanswer: true, isgold: true },
  ],
};

const squad = {
  version: "v2.0",
  data: [
    {
      title: "Harwick_Fair",
      paragraphs: [
        {
          context: "The fair began in 1821. It has goats.",
          qas: [
            {
              id: "s1",
              question: "When did the fair begin?",
              answers: [
                { text: "1821", answer_start: 18 },
                { text: "in 1821", answer_start: 15 },
                { text: "1821", answer_start: 18 },
              ],
            },
            { id: "s2", question: "When did the fair end?", answers: [], is_impossible: true },
          ],
        },
        { context: "The fair's wheel began to turn in spring.", qas: [] },
        { context: "Bread is sold at noon.", qas: [] },
      ],
    },
  ],
};

describe("readDataset", () => {
  it("reads HotpotQA as it was published: pairs of title and sentences, without empty paragraphs", async () => {
    expect(await read(JSON.stringify([hotpot]))).toEqual([
      {
        id: "h1",
        question: hotpot.question,
        answers: ["Lune"],
        docs: [
          "Ada Brook\nAda Brook was a painter. She was born in Harwick.",
          "Oster\nOster is a town. It has a mill.",
          "Harwick\nHarwick is a town. The Lune flows through it.",
        ],
        positive: [0, 2],
        answerable: true,
      },
    ]);
  });

  it("reads HotpotQA in the form of lists of titles and of sentences, one record a line", async () => {
    const { _id, ...rest } = hotpot;
    const columns = {
      ...rest,
      id: "h1",
      supporting_facts: { title: ["Ada Brook", "Harwick"], sent_id: [0, 1] },
      context: {
        title: hotpot.context.map(([title]) => title),
        sentences: hotpot.context.map(([, sentences]) => sentences),
      },
    };
    expect(await read(json(columns))).toEqual(await read(JSON.stringify([hotpot])));
  });

  it("allows a gold title that no paragraph has: a search has missed it", async () => {
    const [record] = await read(json({ ...hotpot, context: hotpot.context.slice(0, 3) }));
    expect(record!.positive).toEqual([0]);
  });

  it("reads 2WikiMultiHopQA pretty-printed over many lines", async () => {
    const wiki = { ...hotpot, evidences: [["Ada Brook", "place of birth", "Harwick"]] };
    expect(await read(JSON.stringify([wiki], undefined, 2))).toEqual(await read(JSON.stringify([hotpot])));
    expect(await read(JSON.stringify(wiki, undefined, 2))).toHaveLength(1);
  });

  it("reads MuSiQue with its aliases, and its unanswerable questions without answers", async () => {
    const [first, second] = await read(json(musique, { ...musique, id: "x", answerable: false }));
    expect(first).toMatchObject({ id: "2hop__1_2", answers: ["Mara Finch", "M. Finch"], positive: [0, 2] });
    expect(first!.docs![0]).toBe("Skarrow\nThe Skarrow is a tent by Finch & Co.");
    expect(second).toMatchObject({ answers: [], answerable: false });
  });

  it("reads Natural Questions with passages: gold are those that say so, else those with the answer", async () => {
    const plain = {
      ...nq,
      ctxs: nq.ctxs.map(({ title, text }) => ({ title, text, has_answer: title === "The mill" })),
    };
    const [first, second] = await read(json(nq, plain));
    expect(first).toEqual({
      id: "1",
      question: "who owns the mill",
      answers: ["Ida Vale", "Vale"],
      docs: ["Mills\nA mill grinds.", "The mill\nIda Vale owns the mill."],
      positive: [1],
      answerable: true,
    });
    expect(second!.positive).toEqual([1]);
  });

  it("reads both forms of QED, with ids too long for a number", async () => {
    const rest = '"question_text": "who owns it", "paragraph_text": "Ida and Ole own it .", "title_text": "The mill"';
    const lines = [
      `{"example_id": 7358594490286423817, "answer_text": ["Ida", "Ole"], ${rest}}`,
      `{"example_id": -5, "original_nq_answers": [[{"string": "Ida"}], [{"string": "Ida"}, {"string": "Ole"}]], ${rest}}`,
    ];
    const record = {
      question: "who owns it",
      answers: ["Ida", "Ole"],
      docs: ["The mill\nIda and Ole own it ."],
      positive: [0],
      answerable: true,
    };
    expect(await read(lines)).toEqual([
      { id: "7358594490286423817", ...record },
      { id: "-5", ...record },
    ]);
  });

  it("reads SQuAD: the paragraph alone, each answer once, unanswerable questions without gold", async () => {
    const docs = ["Harwick Fair\nThe fair began in 1821. It has goats."];
    const expected = [
      {
        id: "s1",
        question: "When did the fair begin?",
        answers: ["1821", "in 1821"],
        docs,
        positive: [0],
        answerable: true,
      },
      { id: "s2", question: "When did the fair end?", answers: [], docs, positive: [], answerable: false },
    ];
    expect(await read(JSON.stringify(squad))).toEqual(expected);
    expect(await read(JSON.stringify(squad, undefined, 2))).toEqual(expected);
  });

  it("reads the project's own records, in lines or in a list", async () => {
    const records = [
      { question: "Q", answer: "A" },
      { question: "R", answers: ["B"], docs: [{ title: "T", text: "B" }] },
    ];
    const expected = [
      { id: "1", question: "Q", answers: ["A"], answerable: true },
      { id: "2", question: "R", answers: ["B"], docs: ["T\nB"], answerable: true },
    ];
    expect(await read(json(...records))).toEqual(expected);
    expect(await read(JSON.stringify(records))).toEqual(expected);
  });

  it("gives records before it has read the last line", async () => {
    const records = readDataset(['{"question":"Q","answer":"A"}', "broken"], "data");
    expect((await records.next()).value).toMatchObject({ question: "Q" });
    await expect(records.next()).rejects.toThrow("data line 2");
  });

  it.each<[string, string | string[], string | RegExp]>([
    [
      "a line that is no JSON",
      ['{"question":"Q","answer":"A"}', "{"],
      "data line 2: needs one JSON object on the line",
    ],
    ["a list member that is no object", "[1]", "data record 1: needs a JSON object, got 1"],
    ["a file that is cut off", '[{"question":"Q"},', /^data: needs JSON Lines, or one JSON value, got \[\{"question"/],
    ["a record without an answer", json({ question: "Q" }), 'data line 1: needs "answers"'],
    ["fields of no known set", json({ input: "Q" }), /data line 1: is of no known format .* got the fields input/],
    ["a file of BEIR", json({ _id: "1", text: "x" }), /BEIR's layout .* evaluate-retrieval/],
    ["HotpotQA without sentences", json({ ...hotpot, context: [["T"]] }), /needs "context" as pairs .* at index 0/],
    [
      "HotpotQA with too few sentences",
      json({ ...hotpot, context: { title: ["a", "b"], sentences: [["x"]] } }),
      /"context.sentences" as a list for each of the 2 titles, got 1/,
    ],
    [
      "HotpotQA with empty paragraphs only",
      json({ ...hotpot, context: [["T", [""]]] }),
      'needs paragraphs in "context"',
    ],
    ["HotpotQA with an empty answer", json({ ...hotpot, answer: " " }), "needs an answer that is not empty"],
    [
      "MuSiQue without text",
      json({ ...musique, paragraphs: [{ title: "T" }] }),
      'needs "paragraphs[0].paragraph_text"',
    ],
    ["passages that are no list", json({ ...nq, ctxs: {} }), 'needs "ctxs" as a list, got {}'],
    [
      "an answer that is not in SQuAD's paragraph",
      JSON.stringify(squad).replaceAll('"text":"1821"', '"text":"1822"'),
      'data question 1 (article 1, paragraph 1): needs answers that are in the paragraph, got "1822"',
    ],
  ])("names what is wrong with %s", async (_, source, message) => {
    const failed = read(source);
    await expect(failed).rejects.toThrow(message);
    await expect(failed).rejects.toMatchObject({ code: "input" });
  });

  it("leaves bad records out when told to, each by its number", async () => {
    const bad: string[] = [];
    const lines = ["{broken", '{"input": 1}', ...json(nq, { ...nq, answers: [] }, nq)];
    const records = await read(lines, { onBad: (problem) => bad.push(problem.message.slice(0, 40)) });
    expect(records.map(({ id }) => id)).toEqual(["3", "5"]);
    expect(bad).toEqual([
      "data line 1: needs one JSON object on th",
      "data line 2: is of no known format (reco",
      "data line 4: needs an answer that is not",
    ]);
  });

  it("reports an id that comes again, and keeps both records", async () => {
    const said: string[] = [];
    const records = await read(json(musique, musique), { onDuplicate: (text) => said.push(text) });
    expect(records).toHaveLength(2);
    expect(said).toEqual(['data line 2: has the id "2hop__1_2", which data line 1 has too; both are used']);
  });

  it("takes a format by name, and refuses lines that are not in it", async () => {
    await expect(read(json(nq), { format: "musique" })).rejects.toThrow('data line 1: needs "paragraphs" as a list');
    await expect(read(json(nq), { format: "squad" })).rejects.toThrow("is not SQuAD's layout");
    expect(await read(json({ ...nq, docs: ["d"] }), { format: "records" })).toMatchObject([{ docs: ["d"] }]);
  });

  it("reads a line of a megabyte", async () => {
    const text = "word ".repeat(250_000);
    const [record] = await read(json({ question: "Q", answer: "A", docs: [text] }));
    expect(record!.docs![0]).toHaveLength(1_250_000);
  });
});

describe("the setting", () => {
  it("oracle fills up with the paragraphs that share most words with the question, in the file's order", async () => {
    const [first, second] = await read(JSON.stringify(squad), { setting: "oracle", documents: 2 });
    expect(first).toMatchObject({
      docs: [
        "Harwick Fair\nThe fair began in 1821. It has goats.",
        "Harwick Fair\nThe fair's wheel began to turn in spring.",
      ],
      positive: [0],
    });
    expect(second).toMatchObject({ positive: [], answerable: false });
    expect(second!.docs).toHaveLength(2);
  });

  it("oracle never leaves a gold document out", async () => {
    const [record] = await read(json(musique), { documents: 1 });
    expect(record!.docs!.map((text) => text.split("\n")[0])).toEqual(["Skarrow", "Finch & Co"]);
    expect(record!.positive).toEqual([0, 1]);
  });

  it("normal takes the best by words, so that gold may be missing", async () => {
    const [record] = await read(json(musique), { setting: "normal", documents: 1 });
    expect(record).toMatchObject({ docs: ["Skarrow\nThe Skarrow is a tent by Finch & Co."], positive: [0] });
    const [missed] = await read(json({ ...musique, question: "What is a shelter?" }), {
      setting: "normal",
      documents: 1,
    });
    expect(missed).toMatchObject({ docs: ["Tents\nA tent is a shelter."], positive: [] });
  });

  it("leaves records without documents to the pack, and needs gold for oracle", async () => {
    expect(await read(json({ question: "Q", answer: "A" }), { documents: 3 })).toEqual([
      { id: "1", question: "Q", answers: ["A"], answerable: true },
    ]);
    const unknown = json({ question: "Q", answer: "A", docs: ["a", "b"] });
    await expect(read(unknown, { documents: 1 })).rejects.toThrow(/line 1: names no gold documents/);
    expect((await read(unknown, { setting: "normal", documents: 1 }))[0]).not.toHaveProperty("positive");
  });

  it("refuses an impossible number", async () => {
    await expect(read(json(musique), { documents: 0 })).rejects.toMatchObject({ code: "option" });
  });
});

describe("the published files", () => {
  it.skipIf(!existsSync(shared)).each([
    ["hotpotqa/hotpot_distractor_300b.shared.jsonl.gz", 296],
    ["hotpotqa/hotpot_train_100.shared.json.gz", 100],
    ["musique/musique_dev_50.shared.jsonl.gz", 50],
    ["2wikimultihopqa/2wiki_qa_sub.json", 2],
    ["nq-open/nq-open-oracle.shared.jsonl.gz", 1334],
    ["nq-qed/qed-dev.shared.jsonl.gz", 699],
    ["squad/dev-v2.0.shared.json.gz", 6307],
  ])("%s is read to its end, all %i records (needs ../shared/data)", async (path, count) => {
    const file = createReadStream(new URL(path, shared));
    const lines = createInterface({ input: path.endsWith(".gz") ? file.pipe(createGunzip()) : file });
    const duplicates: string[] = [];
    const records = await all(readDataset(lines, path, { onDuplicate: (text) => duplicates.push(text) }));
    expect([records.length, duplicates]).toEqual([count, []]);
    expect(
      records.every(({ docs, positive, answerable }) => docs!.length > 0 && answerable === positive!.length > 0),
    ).toBe(true);
  });
});
