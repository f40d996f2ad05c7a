import { describe, expect, it } from "vitest";
import { readQed, readSpanLines, readSquad } from "./read-spans.ts";

const bytes = (value: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify(value));
const lines = (...values: unknown[]): Uint8Array =>
  new TextEncoder().encode(
    values.map((value) => (typeof value === "string" ? value : JSON.stringify(value))).join("\n"),
  );
const input = (message: string) =>
  expect.objectContaining({ code: "input", message: expect.stringContaining(message) });
const thrown = (read: () => unknown): unknown => {
  try {
    return read();
  } catch (error) {
    return error;
  }
};

describe("readSquad", () => {
  const squad = (context: string, ...qas: unknown[]): Uint8Array =>
    bytes({ data: [{ title: "North_Sea", paragraphs: [{ context, qas }] }] });
  const asked = (...answers: { text: string; answer_start: number }[]) => ({ id: "q1", question: "Who?", answers });

  it("gives each question its first answer, with the article as subject", () => {
    const file = squad("Ann met Bo.", asked({ text: "Bo", answer_start: 8 }, { text: "Ann", answer_start: 0 }));
    expect(readSquad(file)).toEqual([
      {
        ...{ id: "q1", question: "Who?", text: "Ann met Bo.", answer: { start: 8, end: 10 } },
        ...{ title: "North Sea", group: "North_Sea" },
      },
    ]);
  });

  it("takes the answer where the file says, not where its words are first", () => {
    const [record] = readSquad(squad("Bo met Bo.", asked({ text: "Bo", answer_start: 7 })));
    expect(record!.answer).toEqual({ start: 7, end: 9 });
  });

  it("looks for an answer that is not where the file says", () => {
    const [record] = readSquad(squad("Ann met Bo.", asked({ text: "Bo", answer_start: 3 })));
    expect(record!.answer).toEqual({ start: 8, end: 10 });
  });

  it("leaves out answers that are not in the text, that are empty, and questions and texts without any", () => {
    const file = squad("Ann met Bo.", asked({ text: "Cy", answer_start: 0 }), asked({ text: "", answer_start: 0 }), {
      ...asked(),
      is_impossible: true,
    });
    expect(readSquad(file)).toEqual([]);
    expect(readSquad(squad("", asked({ text: "Bo", answer_start: 0 })))).toEqual([]);
    expect(readSquad(bytes({ data: [] }))).toEqual([]);
  });

  it("refuses what is no such file, and says what is missing where", () => {
    expect(thrown(() => readSquad(lines("{")))).toEqual(input("readSquad: is not JSON"));
    expect(thrown(() => readSquad(bytes(null)))).toEqual(input("readSquad: must be an object"));
    expect(thrown(() => readSquad(bytes([])))).toEqual(input('readSquad: the file needs a list "data" of articles'));
    const articles = { data: [{ title: "a", paragraphs: [] }, { title: "b" }] };
    expect(thrown(() => readSquad(bytes(articles)))).toEqual(input('article 2: "paragraphs" must be a list'));
    expect(thrown(() => readSquad(bytes({ data: [{ paragraphs: [{}] }] })))).toEqual(input('article 1: "qas"'));
    expect(thrown(() => readSquad(squad("a", { id: "q7" })))).toEqual(input('question q7: "answers" must be a list'));
  });
});

describe("readQed", () => {
  const line = (id: number, spans?: unknown): unknown => ({
    ...{ example_id: id, question_text: " who? ", paragraph_text: "Ann met Bo.", title_text: "A Meeting" },
    ...(spans !== undefined && { answer_spans: spans }),
  });

  it("gives each question its first span, and puts texts into groups in turn", () => {
    const records = readQed(
      lines(
        line(1, [
          [8, 10],
          [0, 3],
        ]),
        "",
        line(2, [[0, 3]]),
        line(3, [[0, 3]]),
      ),
      { groups: 2 },
    );
    expect(records[0]).toEqual({
      ...{ id: "qed-1", question: "who?", text: "Ann met Bo.", title: "A Meeting" },
      ...{ answer: { start: 8, end: 10 }, group: "qed 0" },
    });
    expect(records.map(({ id, group }) => [id, group])).toEqual([
      ["qed-1", "qed 0"],
      ["qed-2", "qed 1"],
      ["qed-3", "qed 0"],
    ]);
  });

  it("leaves out questions without a span, and spans that are empty or not in the text", () => {
    const spans = [undefined, [], [[3, 3]], [[-1, 2]], [[8, 12]]];
    expect(readQed(lines(...spans.map((span, i) => line(i, span)), line(9, [[8, 11]]))).map(({ id }) => id)).toEqual([
      "qed-9",
    ]);
    expect(readQed(new Uint8Array(0))).toEqual([]);
  });

  it("names the line that is wrong", () => {
    expect(thrown(() => readQed(lines(line(1), "", "{")))).toEqual(input("readQed: line 3: is not JSON"));
    expect(thrown(() => readQed(lines(line(1), "7")))).toEqual(input("readQed: line 2: must be an object"));
    expect(thrown(() => readQed(lines({ ...(line(1) as object), paragraph_text: 4 })))).toEqual(
      input('readQed: line 1: needs "question_text" and "paragraph_text"'),
    );
  });
});

describe("readSpanLines", () => {
  const line = (changes: object = {}): object => ({
    ...{ id: "p1", question: "Who?", docs: ["Cy sat.", "Ann met Bo."], spans: [{ doc: 1, start: 8, end: 10 }] },
    ...changes,
  });

  it("gives each question the text that its first span is in", () => {
    expect(readSpanLines(lines(line({ source: "notes.md", title: "Notes" }), "", line({ id: undefined })))).toEqual([
      {
        ...{ id: "p1", question: "Who?", text: "Ann met Bo.", title: "Notes" },
        ...{ answer: { start: 8, end: 10 }, group: "notes.md" },
      },
      { id: "3", question: "Who?", text: "Ann met Bo.", answer: { start: 8, end: 10 }, group: "" },
    ]);
  });

  it("takes the first text, and no answer, where the line says that there is none", () => {
    const [record] = readSpanLines(lines(line({ answerable: false, spans: undefined })));
    expect(record).toMatchObject({ text: "Cy sat.", answer: null });
    const [marked] = readSpanLines(lines(line({ answerable: false })));
    expect(marked).toMatchObject({ text: "Ann met Bo.", answer: null });
    expect(readSpanLines(new Uint8Array(0))).toEqual([]);
  });

  it("names the line whose span is missing, empty, or outside its text", () => {
    const wrong = [
      undefined,
      [],
      ...[
        [-1, 2],
        [3, 3],
        [8, 12],
      ].map(([start, end]) => [{ doc: 1, start, end }]),
    ];
    for (const spans of wrong) {
      expect(thrown(() => readSpanLines(lines(line(), line({ spans }))))).toEqual(
        input('readSpanLines: line 2: needs "spans" with an answer inside its document'),
      );
    }
  });

  it("names the line that is no JSON, no record, or has no text", () => {
    expect(thrown(() => readSpanLines(lines(line(), "", "{")))).toEqual(input("readSpanLines: line 3: is not JSON"));
    expect(thrown(() => readSpanLines(lines("null")))).toEqual(input("readSpanLines: line 1: must be an object"));
    for (const changes of [{ question: 5 }, { docs: [] }, { docs: undefined }, { docs: ["", " \n"] }]) {
      expect(thrown(() => readSpanLines(lines(line(), line({ ...changes, answerable: false }))))).toEqual(
        input('readSpanLines: line 2: needs "question" and a list "docs" of texts that are not empty'),
      );
    }
  });
});
