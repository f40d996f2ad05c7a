import { describe, expect, it } from "vitest";
import { taggedAnswers } from "./tagged-answers.ts";

describe("taggedAnswers", () => {
  it("gives every marked text, over lines, without white space around it", () => {
    expect(taggedAnswers("<think>so</think> <answer> a\nb </answer> and <answer>c</answer>")).toEqual(["a\nb", "c"]);
  });

  it("takes for white space what Python does", () => {
    expect(taggedAnswers("<answer>\x85\x1c\u3000a \x85 b\xa0</answer>")).toEqual(["a \x85 b"]);
    expect(taggedAnswers("<answer>\ufeffa\ufeff</answer><answer> \n</answer>")).toEqual(["\ufeffa\ufeff", ""]);
  });

  it("gives empty ones too, and nothing for a tag that is not closed", () => {
    expect(taggedAnswers("<answer></answer>")).toEqual([""]);
    expect(taggedAnswers("</answer><answer>open")).toEqual([]);
  });
});
