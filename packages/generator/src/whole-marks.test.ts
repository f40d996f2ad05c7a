import { describe, expect, it } from "vitest";
import { wholeMarks } from "./whole-marks.ts";

const whole = (text: string, part: string): string => {
  const { start, end } = wholeMarks(text, text.indexOf(part), text.indexOf(part) + part.length);
  return text.slice(start, end);
};

describe("wholeMarks", () => {
  it("takes in the partner of a mark that is next to the span", () => {
    expect(whole("after **5 minutes**.", "**5 minutes")).toBe("**5 minutes**");
    expect(whole("use the `enabled = false` option.", "enabled = false` option")).toBe("`enabled = false` option");
    expect(whole("20F to 60F (-6C to 15C).", "20F to 60F (-6C to 15C")).toBe("20F to 60F (-6C to 15C)");
    expect(whole("the (old) mill", "old) mill")).toBe("(old) mill");
    expect(whole("says “no” to it", "“no")).toBe("“no”");
  });

  it("leaves out a mark at the span's end whose partner is elsewhere", () => {
    expect(whole("after **5 minutes of rest**.", "**5 minutes")).toBe("5 minutes");
    expect(whole("after **rest of 5 minutes** and", "5 minutes**")).toBe("5 minutes");
    expect(whole("(see page 4) and (page 5, below)", "(page 5")).toBe("page 5");
    expect(whole("it says ` x", "` x")).toBe("x");
  });

  it("leaves pairs, lone marks inside, and plain text as they are", () => {
    for (const part of ["**a** and **b**", "f(x) and (y)", "a ) b", "5 minutes", '"yes" and "no"']) {
      expect(whole(`text ${part} text`, part)).toBe(part);
    }
    expect(whole("x ** y", "**")).toBe("**");
    expect(wholeMarks("", 0, 0)).toEqual({ start: 0, end: 0 });
  });
});
