import { createReadStream, existsSync } from "node:fs";
import { createInterface } from "node:readline";
import { createGunzip } from "node:zlib";
import { describe, expect, it } from "vitest";
import { type BeirSources, readBeir } from "./beir.ts";
import { readRecords } from "./records.ts";

const data = new URL("../../../../shared/data/", import.meta.url);
const shared = existsSync(data);

async function read(...lines: string[]) {
  return all(readRecords(lines, "data.jsonl"));
}

async function all<T>(values: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = [];
  for await (const value of values) list.push(value);
  return list;
}

function linesOf(path: string) {
  const file = createReadStream(new URL(path, data));
  return createInterface({ input: path.endsWith(".gz") ? file.pipe(createGunzip()) : file, crlfDelay: Infinity });
}

describe("readRecords", () => {
  it("reads every field, and the short form", async () => {
    expect(
      await read(
        '\uFEFF{"id":"q1","question":"Who?","answers":["A","B"],"docs":["d0","d1"],"pos_index":[1]}\r',
        "",
        '{"question":"When?","answer":"1999"}',
        '{"id":7,"question":"Why?","answers":[],"docs":["d"],"answerable":false}',
        '{"question":"Old?","golden_answers":["yes"]}',
        '{"question":"Where?","answer":"here","document":"a.md"}',
        '{"question":"Why?","answers":[],"document":null,"answerable":false}',
      ),
    ).toEqual([
      { id: "q1", question: "Who?", answers: ["A", "B"], docs: ["d0", "d1"], positive: [1], answerable: true },
      { id: "3", question: "When?", answers: ["1999"], answerable: true },
      { id: "7", question: "Why?", answers: [], docs: ["d"], answerable: false },
      { id: "5", question: "Old?", answers: ["yes"], answerable: true },
      { id: "6", question: "Where?", answers: ["here"], document: "a.md", answerable: true },
      { id: "7", question: "Why?", answers: [], answerable: false },
    ]);
  });

  it("gives records before it has read the last line", async () => {
    const records = readRecords(['{"question":"Q","answer":"A"}', "broken"], "data.jsonl");
    expect((await records.next()).value).toMatchObject({ question: "Q" });
    await expect(records.next()).rejects.toThrow("data.jsonl line 2");
  });

  it.each([
    ["{", /needs one JSON object on the line, got \{/],
    ["[1]", /needs a JSON object, got \[1\]/],
    ['{"answer":"A"}', /needs "question" as a text that is not empty, got none/],
    ['{"question":" ","answer":"A"}', /needs "question"/],
    ['{"question":"Q"}', /needs "answers" .* "answerable": false/],
    ['{"question":"Q","answers":["A",1]}', /needs "answers" as a list of texts, got 1 at index 1/],
    ['{"question":"Q","answers":{}}', /needs "answers" as a list of texts, got \{\}/],
    ['{"question":"Q","answer":"A","docs":"d"}', /needs "docs" as a list of texts, got d/],
    ['{"question":"Q","answer":"A","docs":["d"],"pos_index":[1]}', /"pos_index" between 0 and 0 .* got 1/],
    ['{"question":"Q","answer":"A","pos_index":3}', /needs "pos_index" as a list of indices, got 3/],
    ['{"question":"Q","answer":"A","document":3}', /needs "document" as the id of a document, got 3/],
    ['{"question":"Q","answer":"A","answerable":"no"}', /needs "answerable" as true or false, got no/],
    ['{"id":[],"question":"Q","answer":"A"}', /needs "id" as a text/],
  ])("names file and line of %s", async (line, message) => {
    const failed = read('{"question":"Q","answer":"A"}', line);
    await expect(failed).rejects.toThrow(message);
    await expect(failed).rejects.toThrow("data.jsonl line 2: ");
    await expect(failed).rejects.toMatchObject({ code: "input" });
  });

  it.skipIf(!shared)("reads a set with unanswerable questions (needs ../shared/data)", async () => {
    const records = await all(readRecords(linesOf("eval/squad2.jsonl.gz"), "squad2.jsonl.gz"));
    expect(records).toHaveLength(1000);
    expect(records.filter((record) => record.answerable)).toHaveLength(500);
  });
});

describe("readBeir", () => {
  const corpus = ['{"_id":"d1","title":"T","text":"one"}', '{"_id":"d2","text":"two"}'];
  const queries = ['{"_id":"q1","text":"first"}', '{"_id":"q2","text":"second"}', '{"_id":"q3","text":"third"}'];
  const qrels = ["query-id\tcorpus-id\tscore", "q1\td1\t2", "q1\td2\t0", "q3\td1\t0"];
  const set: BeirSources = { corpus, queries, qrels };

  it("joins the three files, and counts queries without a relevant document", async () => {
    expect(await readBeir(set)).toEqual({
      corpus: [
        { id: "d1", title: "T", text: "one" },
        { id: "d2", title: "", text: "two" },
      ],
      queries: [{ id: "q1", text: "first" }],
      qrels: new Map([
        [
          "q1",
          new Map([
            ["d1", 2],
            ["d2", 0],
          ]),
        ],
      ]),
      skippedQueries: 2,
    });
  });

  it("reads qrels without a header line", async () => {
    expect((await readBeir({ ...set, qrels: ["q2\td2\t1"] })).queries).toEqual([{ id: "q2", text: "second" }]);
  });

  it.each<[Partial<BeirSources>, string]>([
    [{ qrels: ["q1 d1 1"] }, "qrels/test.tsv line 1: needs three fields between tabs"],
    [{ qrels: ["q1\td1\tmany"] }, "qrels/test.tsv line 1: needs three fields between tabs"],
    [{ qrels: ["q9\td1\t1"], names: { qrels: "x.tsv" } }, 'x.tsv line 1: query "q9" is not in queries.jsonl'],
    [{ qrels: ["q1\td9\t1"] }, 'qrels/test.tsv line 1: document "d9" is not in corpus.jsonl'],
    [{ corpus: [...corpus, corpus[0]!] }, 'corpus.jsonl line 3: has the "_id" d1, which an earlier line has too'],
    [{ corpus: ['{"_id":"d1"}'] }, 'corpus.jsonl line 1: needs "text" as a text, got none'],
    [{ queries: ['{"text":"x"}'] }, 'queries.jsonl line 1: needs "_id"'],
  ])("names file and line of what is wrong in %j", async (change, message) => {
    await expect(readBeir({ ...set, ...change })).rejects.toThrow(message);
  });

  it.skipIf(!shared)("reads a gzipped set line by line (needs ../shared/data)", async () => {
    const read = await readBeir({
      corpus: linesOf("squad-retrieval/corpus.jsonl.gz"),
      queries: linesOf("squad-retrieval/queries.jsonl.gz"),
      qrels: linesOf("squad-retrieval/qrels/test.tsv"),
    });
    expect([read.corpus.length, read.queries.length, read.qrels.size, read.skippedQueries]).toEqual([
      977, 5122, 5122, 0,
    ]);
  });
});
