import { describe, expect, it } from "vitest";
import { jsonLinesText, jsonText } from "./json.ts";
import { jsonErrorOffset } from "./json-position.ts";
import type { Extracted } from "./types.ts";

const lines = (text: string): string[] => (jsonText(text) as Extracted).text.split("\n");

describe("jsonText", () => {
  it("makes a record of each object of a list, numbers as they are written", () => {
    const text =
      '[{"id": 1, "name": "Saw", "price": 9.50, "size": {"w": 4, "h": null}, "tags": ["a", "b"]}, {"id": 12345678901234567890}]';
    expect(lines(text)).toEqual(["name: Saw; id: 1; price: 9.50; size.w: 4; tags: a, b", "id: 12345678901234567890"]);
    expect((jsonText(text) as Extracted).blocks.map(({ kind }) => kind)).toEqual(["record", "record"]);
  });

  it("makes records of an object's parts, plain values together", () => {
    const text =
      '{"title": "Shop", "open": true, "items": [{"name": "Saw"}, {"name": "Axe"}], "address": {"city": "Lyon"}, "stock": {"T-1": {"n": 3}, "T-2": {"n": 4}}}';
    expect(lines(text)).toEqual([
      "title: Shop; open: true",
      "name: Saw",
      "name: Axe",
      "address.city: Lyon",
      "T-1.n: 3",
      "T-2.n: 4",
    ]);
    const { title, blocks } = jsonText(text) as Extracted;
    expect(title).toBe("Shop");
    expect(blocks.map(({ heading }) => heading[0])).toEqual([undefined, "items", "items", undefined, "stock", "stock"]);
  });

  it("numbers the objects of a list inside a record, and puts texts on one line", () => {
    expect(lines('[{"reviews": [{"by": "A\\nB"}, {"by": "C"}]}]')).toEqual(["reviews.1.by: A B; reviews.2.by: C"]);
    expect(lines('["a", 2]')).toEqual(["a", "2"]);
  });

  it("says where broken JSON is broken", () => {
    expect(jsonText('{\n  "a": 1,\n  b: 2\n}')).toMatchObject({ skip: expect.stringContaining("line 3, column 3") });
    expect(jsonText("[1, 2")).toMatchObject({ skip: expect.stringContaining("line 1, column 6") });
    expect(jsonText(`${"[".repeat(200_000)}${"]".repeat(200_000)}`)).toEqual({ skip: "JSON is nested too deeply" });
  });
});

describe("jsonErrorOffset", () => {
  it("finds the first character that cannot follow", () => {
    const cases: [string, number][] = [
      ["", 0],
      ["{,}", 1],
      ['{"a" 1}', 5],
      ['{"a": 1,}', 8],
      ["[1,]", 3],
      ["[1}", 2],
      ["01", 0],
      ["[tru]", 1],
      ['["a\nb"]', 3],
      ['["a\\x"]', 3],
      ['["abc', 5],
      ["[1] 2", 4],
      [' {"a": [1, -2.5e3, true, null, "\\u00e9"], "b": {}} ', 51],
    ];
    for (const [text, offset] of cases) expect([text, jsonErrorOffset(text)]).toEqual([text, offset]);
  });
});

describe("jsonLinesText", () => {
  it("makes line N of the text from line N of the file, and notes the lines that are not JSON", () => {
    const { text, blocks, notes } = jsonLinesText('{"a": 1}\n\nnot json\n{"a": 2}\n') as Extracted;
    expect(text).toBe("a: 1\n\n\na: 2\n");
    expect(blocks.map(({ start, end }) => text.slice(start, end))).toEqual(["a: 1", "a: 2"]);
    expect(notes).toEqual(["1 line is not JSON and left out: 3"]);
  });

  it("skips a file without any JSON", () => {
    expect(jsonLinesText("a\nb\n")).toEqual({ skip: "no line is JSON (first: line 1)" });
  });
});
