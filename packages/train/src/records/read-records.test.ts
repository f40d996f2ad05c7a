import { existsSync, readFileSync } from "node:fs";
import { ClaraError } from "@clara/core";
import { describe, expect, it } from "vitest";
import type { Stage } from "../recipe.ts";
import { recordWriter } from "../synthesize/to-lines.ts";
import type { ClaraRecord } from "./clara-record.ts";
import { findAnswer, toSpanRecords } from "./find-answer.ts";
import { linesOf, readRecords } from "./read-records.ts";
import { writeRecord } from "./write-record.ts";

const fixtures = new URL("../../../../../shared/fixtures/clara-tiny/", import.meta.url);
const shared = existsSync(fixtures);
const bytes = (path: string): Buffer => readFileSync(new URL(path, fixtures));

const read = async (records: unknown[], stage: Stage, more = {}): Promise<readonly ClaraRecord[]> =>
  (
    await readRecords(
      records.map((record) => JSON.stringify(record)),
      { stage, ...more },
    )
  ).records;
const one = async (record: object, stage: Stage = "endToEnd", documents = 1): Promise<ClaraRecord> =>
  (await read([record], stage, { documents }))[0]!;
const refused = async (record: unknown, stage: Stage = "endToEnd", documents = 1): Promise<string> => {
  const error = await read([record], stage, { documents }).catch((caught: unknown) => caught);
  expect(error).toBeInstanceOf(ClaraError);
  expect((error as ClaraError).code).toBe("input");
  return (error as ClaraError).message.replace("readRecords: records line 1 ", "").replace("; correct or skip it", "");
};

describe.skipIf(!shared)("the reference's files (needs ../shared/fixtures)", () => {
  it.each([
    ["stage1", "compression", 1],
    ["stage1-paraphrase", "compression", 1],
    ["stage1_2", "instruction", 3],
    ["stage2", "endToEnd", 2],
  ] as const)("are read and written again unchanged: %s", async (name, stage, documents) => {
    const lines = [...linesOf(bytes(`data/${name}.jsonl`))];
    const { records, skipped } = await readRecords(lines, { stage, documents });
    expect(skipped).toEqual([]);
    const written = records.map((record) => JSON.parse(writeRecord(record)));
    const expected = lines.map((line) => JSON.parse(line));
    // A gold answer equal to the answer says nothing.
    for (const record of expected) if (record.gold_answer === record.answer) delete record.gold_answer;
    expect(written).toEqual(expected);
  });

  it("take odd records apart as the reference does, but where it stumbles", async () => {
    const { records } = JSON.parse(bytes("reader.json").toString());
    const differs = new Map([
      [12 - 1, "document list is empty"],
      [13 - 1, "gold_answer is known"],
    ]);
    for (const [i, { record, error, ...expected }] of records.entries()) {
      if (differs.has(i)) continue;
      const paraphrase = record.data_type === "paraphrase";
      const stage = paraphrase ? "compression" : "endToEnd";
      if (error) {
        await refused(record, stage);
        continue;
      }
      const found = await one(record, stage, expected.docs.length);
      expect(found.documents).toEqual(expected.docs);
      const answers = [expected.answer].flat();
      const question = [expected.question].flat()[0];
      if (found.kind === "answer") {
        expect([found.question, found.answer, found.positives]).toEqual([question, answers[0], expected.pos_index]);
      } else expect(found).toMatchObject({ kind: "paraphrase", paraphrase: answers[0] });
    }
    expect(await refused(records[11].record)).toBe("needs at least 1 document, got 0");
  });
});

describe("where the reference stumbles", () => {
  it("a question of stage compression that is a text is one question, not one for each letter", async () => {
    const record = await one({ question: "ab", answers: ["xy"], docs: ["d"] }, "compression");
    expect(record).toMatchObject({ kind: "questions", pairs: [{ question: "ab", answer: "xy" }] });
    expect(await one({ question: "ab", answer: "xy", docs: ["d"] }, "compression")).toEqual(record);
  });

  it("gold_answer alone is the answer, as the reference's pages say and its reader does not", async () => {
    expect(await one({ question: "q", gold_answer: "g", docs: ["d"] })).toMatchObject({ answer: "g" });
    const both = await one({ question: "q", gold_answer: "g", answer: "teacher", docs: ["d"] });
    expect(both).toMatchObject({ answer: "teacher", gold: "g" });
  });

  it("all golden answers are kept, the first as the answer", async () => {
    const record = await one({ question: "q", golden_answers: ["a", "b"], docs: ["d"] });
    expect(record).toMatchObject({ answer: "a", aliases: ["b"] });
    expect(await one(JSON.parse(writeRecord(record)))).toEqual(record);
  });

  it("a paraphrase that is a text is taken whole, not its first letter", async () => {
    const record = await one({ data_type: "paraphrase", answer: "other words", docs: ["d"] }, "compression");
    expect(record).toMatchObject({ kind: "paraphrase", paraphrase: "other words" });
  });

  it("questions and paraphrases may share a file", async () => {
    const lines = [
      { data_type: "qa", question: ["q"], answers: ["a"], docs: ["d"] },
      { data_type: "paraphrase", question: "", answers: ["p"], docs: ["d"] },
    ];
    expect((await read(lines, "compression")).map(({ kind }) => kind)).toEqual(["questions", "paraphrase"]);
  });

  it("records may have different numbers of candidates, but not fewer than the prompt has places", async () => {
    const lines = [3, 2].map((count) => ({ question: "q", answer: "a", docs: Array(count).fill("d") }));
    expect((await read(lines, "endToEnd", { documents: 2 })).length).toBe(2);
    expect(await refused(lines[1], "endToEnd", 3)).toBe("needs at least 3 documents, got 2");
    expect(await refused(lines[1], "instruction", 3)).toBe("needs 3 documents, got 2");
  });
});

describe("readRecords", () => {
  const good = { question: "q", answer: "a", docs: ["a document"] };

  it("says what is wrong with a record", async () => {
    expect(await refused([])).toBe("needs a JSON object, got []");
    expect(await refused({ ...good, docs: "text" })).toBe('needs "docs" (or "context" or "content"), a list of texts');
    expect(await refused({ ...good, docs: ["a", 5] })).toBe('"docs" must be a list of texts, entry 1 is 5');
    expect(await refused({ ...good, docs: ["a", " \n"] })).toBe("document 1 is empty");
    expect(await refused({ ...good, answer: undefined })).toContain('needs "answer" (a text), "answers" or');
    expect(await refused({ ...good, answer: " " })).toBe("the answer is empty");
    expect(await refused({ ...good, answer: null, answers: [] })).toBe('needs an answer: "answers" is empty');
    expect(await refused({ ...good, question: undefined })).toBe('needs "question", a text, got none');
    expect(await refused({ ...good, question: ["a", "b"] })).toBe("needs one question, got 2");
    expect(await refused({ ...good, pos_index: [1] })).toBe('"pos_index" must hold positions 0 to 0, got 1');
    expect(await refused({ ...good, pos_index: [0, 0] })).toBe('"pos_index" names document 0 twice');
    expect(await refused({ ...good, pos_index: 0 })).toBe('"pos_index" must be a list of positions, got 0');
    expect(await refused({ question: ["a", "b"], answers: ["x"], docs: ["d"] }, "compression")).toBe(
      "needs one answer for each question, got 2 questions and 1 answer",
    );
  });

  it("refuses at the first bad line, or leaves bad lines out and reports them by number", async () => {
    const lines = [
      `\uFEFF${JSON.stringify(good)}`,
      "",
      "{cut",
      JSON.stringify({ ...good, docs: [] }),
      JSON.stringify(good),
    ];
    const options = { stage: "endToEnd", documents: 1, source: "x.jsonl" } as const;
    await expect(readRecords(lines, options)).rejects.toThrow("readRecords: x.jsonl line 3 is no JSON");
    const { records, skipped } = await readRecords(lines, { ...options, onBad: "skip" });
    expect(records.map(({ line }) => line)).toEqual([1, 5]);
    expect(skipped.map(({ line }) => line)).toEqual([3, 4]);
    expect(skipped[1]!.problem).toBe("needs at least 1 document, got 0");
    await expect(readRecords(["{", "["], { ...options, onBad: "skip" })).rejects.toThrow(
      "no good record in 2 lines; line 1 is no JSON",
    );
  });

  it("refuses an id that another line has", async () => {
    const lines = ["x", "y", "x"].map((id) => JSON.stringify({ id, ...good }));
    const { records, skipped } = await readRecords(lines, { stage: "endToEnd", documents: 1, onBad: "skip" });
    expect(records.map(({ id }) => id)).toEqual(["x", "y"]);
    expect(skipped).toEqual([{ line: 3, problem: 'has the id "x" of line 1' }]);
  });

  it("reads a line of a megabyte, and refuses one beyond the limit", async () => {
    const line = JSON.stringify({ ...good, docs: ["word ".repeat(200_000)] });
    const { records } = await readRecords([line], { stage: "endToEnd", documents: 1 });
    expect(records[0]!.documents[0]!.length).toBe(1_000_000);
    await expect(readRecords([line], { stage: "endToEnd", documents: 1, longestLine: 1000 })).rejects.toThrow(
      "line 1 has 1000041 characters, more than the longest line of 1000",
    );
  });

  it("warns of answers that no document holds, where spans are wanted", async () => {
    const lines = [good, { ...good, answer: "documents" }, { ...good, answer: "A Document." }].map((x) =>
      JSON.stringify(x),
    );
    const { records, warnings } = await readRecords(lines, { stage: "endToEnd", documents: 1, spans: true });
    expect(records.length).toBe(3);
    expect(warnings).toEqual([{ line: 2, problem: 'no document of line 2 holds the answer "documents"' }]);
  });

  it("reads what synthesize writes, but for questions without an answer", async () => {
    const passage = {
      id: "p",
      document: "d",
      title: "",
      text: "The mill made paper.",
      start: 0,
      end: 20,
      metadata: {},
    };
    const found = { id: "1", passage: "p", question: "What did it make?", answer: "paper", start: 14, end: 19 };
    const write = recordWriter([passage]);
    const lines = [
      write({ ...found, rule: "what", certain: false }),
      write({ id: "2", passage: "p", question: "When?", rule: "date", from: "1" }),
    ].map((record) => JSON.stringify(record));
    const { records, skipped } = await readRecords(lines, { stage: "endToEnd", documents: 1, onBad: "skip" });
    expect(records).toMatchObject([{ id: "1", answer: "paper", positives: [0], documents: [passage.text] }]);
    expect(skipped).toEqual([{ line: 2, problem: 'needs an answer: "answers" is empty' }]);
  });

  it("reads what comes in time, and stops when told to", async () => {
    async function* slowly(): AsyncGenerator<string> {
      for (let i = 0; i < 1000; i++) yield JSON.stringify(good);
    }
    expect((await readRecords(slowly(), { stage: "endToEnd", documents: 1 })).records.length).toBe(1000);
    const signal = AbortSignal.abort();
    await expect(readRecords(slowly(), { stage: "endToEnd", documents: 1, signal })).rejects.toThrow("stopped");
  });
});

describe("linesOf", () => {
  it("splits bytes at line ends of both kinds", () => {
    const lines = (text: string): string[] => [...linesOf(new TextEncoder().encode(text))];
    expect(lines("é\r\nb\n\nc")).toEqual(["é", "b", "", "c"]);
    expect(lines("a\n")).toEqual(["a"]);
    expect(lines("")).toEqual([]);
  });
});

describe("findAnswer", () => {
  it("finds an answer as it stands, else without case and kinds of space, and never inside of a word", () => {
    expect(findAnswer("art in Artland", "Art")).toEqual({ start: 0, end: 3 });
    expect(findAnswer("art Art", "Art")).toEqual({ start: 4, end: 7 });
    expect(findAnswer("heart", "art")).toBeNull();
    expect(findAnswer("in New\n York.", "new york")).toEqual({ start: 3, end: 12 });
    expect(findAnswer("It cost $5 (net).", "$5 (net)")).toEqual({ start: 8, end: 16 });
    expect(findAnswer("named in 1871 by", "1871.")).toEqual({ start: 9, end: 13 });
    expect(findAnswer("a b", " ")).toBeNull();
    const long = "word ".repeat(200_000).trim();
    expect(findAnswer(`${long} ${long}`, long)).toEqual({ start: 0, end: 999_999 });
  });

  it("makes spans of records, in a positive document first", async () => {
    const record = await one({ question: "q", answer: "x", docs: ["x", "no x"], pos_index: [1] });
    expect(toSpanRecords(record)).toEqual([
      { id: "line 1 question 0", question: "q", text: "no x", answer: { start: 3, end: 4 }, group: "line 1" },
    ]);
    const pairs = await one({ question: ["q", "r"], answers: ["z", "x"], docs: ["x"] }, "compression");
    expect(toSpanRecords(pairs).map(({ id }) => id)).toEqual(["line 1 question 1"]);
  });
});
