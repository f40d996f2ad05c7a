import { expect, it } from "vitest";
import { answerKind, holdsKind } from "./answer-kind.ts";

it.each([
  ["How many people work there?", "number"],
  ["How long does the battery last?", "number"],
  ["When did the first shop open?", "number"],
  ["In what year was it founded?", "number"],
  ["What is the default price of the tent?", "number"],
  ["What price is the tent?", "number"],
  ["Who founded the company?", "name"],
  ["Where is the head office?", "name"],
  ["Which city hosts the fair?", "name"],
  ["What is the name of the stove?", "name"],
  ["What does the warranty cover?", "other"],
  ["Why is the sky blue?", "other"],
  ["Wie viele Menschen wohnen dort?", "other"],
  ["", "other"],
] as const)("%s asks for: %s", (question, kind) => {
  expect(answerKind(question)).toBe(kind);
});

it.each([
  ["number", "opened in 2011 on", true],
  ["number", "after three weeks", true],
  ["number", "often and at length", false],
  ["name", "was founded by Ada Brindlow in", true],
  ["name", "The shop is on a hill", false],
  ["name", "nothing here has one. Then", false],
  ["other", "Ada Brindlow in 2011", false],
] as const)("a window for a %s: %s", (kind, window, holds) => {
  expect(holdsKind(kind, window)).toBe(holds);
});
