import { describe, expect, it } from "vitest";
import { csvText, sniffDelimiter } from "./csv.ts";
import type { Extracted } from "./types.ts";

const read = (text: string): Extracted => csvText(text) as Extracted;
const records = (text: string): string[] =>
  read(text)
    .blocks.filter(({ kind }) => kind === "record")
    .map(({ start, end }) => read(text).text.slice(start, end));

describe("csvText", () => {
  it("writes one line per row, the naming column first, empty values left out", () => {
    const { text, metadata } = read('id,Name,price\n7,"Saw, small",9.50\n8,Axe,\n');
    expect(text).toBe("id; Name; price\nName: Saw, small; id: 7; price: 9.50\nName: Axe; id: 8");
    expect(metadata).toEqual({ rows: 2 });
  });

  it("makes row N line N, whatever line ends, blank rows and cells with line ends there are", () => {
    const { text } = read('a,b\r\n1,"x\r\ny"\r\n\r\n2,z\r\n');
    expect(text.split("\n")).toEqual(["a; b", "a: 1; b: x y", "", "a: 2; b: z"]);
  });

  it("keeps ragged rows and counts them", () => {
    const { text, notes } = read("a,b\n1\n2,3,4\n5,6,,\n7,8\n");
    expect(text.split("\n").slice(1)).toEqual(["a: 1", "a: 2; b: 3; column 3: 4", "a: 5; b: 6", "a: 7; b: 8"]);
    expect(notes).toEqual(["2 rows have more or fewer cells than the header (first: row 2)"]);
  });

  it("finds out the delimiter, commas inside quotes and numbers not counted", () => {
    expect(records("name;price\nA;1,50\nB;2,50\n")).toEqual(["name: A; price: 1,50", "name: B; price: 2,50"]);
    expect(sniffDelimiter('"a;b;c",d\n1,2\n')).toBe(",");
    expect(sniffDelimiter("a\tb, c\n1\t2\n")).toBe("\t");
    expect(sniffDelimiter("a|b|c\n1|2|3\n")).toBe("|");
    expect(sniffDelimiter("only\none\ncolumn\n")).toBe(",");
  });

  it("takes inches for inches, and a quote that is not closed for an error with its line", () => {
    expect(records('a,b\n1,27" monitor\n')).toEqual(['a: 1; b: 27" monitor']);
    expect(csvText('a,b\n1,x\n2,"y\n3,z\n')).toMatchObject({ skip: expect.stringMatching(/broken quotes.*line/) });
    expect(csvText('a,b\n1,x\n2,"y\n3,"z\n4,t\n')).toEqual({
      skip: "broken quotes in the row that starts at line 3: a quoted cell is not closed",
    });
  });

  it("keeps a file that has a header only", () => {
    expect(read("name,price\n").blocks).toEqual([{ start: 0, end: 11, heading: [], kind: "prose" }]);
  });
});
