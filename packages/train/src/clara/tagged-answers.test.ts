import { describe, expect, it } from "vitest";
import { taggedAnswers } from "./tagged-answers.ts";

describe("taggedAnswers", () => {
  it("gives every marked text, over lines, without white space around it", () => {
    expect(taggedAnswers("<think>so</think> <answer> a\nb </answer> and <answer>c</answer>")).toEqual(["a\nb", "c"]);
  });

  it("gives empty ones too, and nothing for a tag that is not closed", () => {
    expect(taggedAnswers("<answer></answer>")).toEqual([""]);
    expect(taggedAnswers("</answer><answer>open")).toEqual([]);
  });
});
