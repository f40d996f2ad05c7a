import { describe, expect, it } from "vitest";
import { dimension, equal, evaluate, fromTerms, isExpression, product, sameShape, sum, text } from "./size.ts";

const [B, T] = [dimension("B"), dimension("T")];
const at = { B: 3, T: 5 };

describe("sizes", () => {
  it("are numbers as long as nothing depends on a name", () => {
    expect(sum([2, 3])).toBe(5);
    expect(product([2, 3])).toBe(6);
    expect(sum([])).toBe(0);
    expect(product([])).toBe(1);
    expect(isExpression(sum([2, 3]))).toBe(false);
  });

  it("have the value of their terms", () => {
    expect(evaluate(7, at)).toBe(7);
    expect(evaluate(sum([product([B, T]), -1]), at)).toBe(14);
    expect(evaluate(product([B, sum([T, 2]), 4]), at)).toBe(84);
    expect(evaluate(product([T, T, T]), at)).toBe(125);
    expect(evaluate(fromTerms([{ times: 2, powers: { T: -1 } }]), at)).toBeCloseTo(0.4, 12);
  });

  it("are numbers again when the names cancel", () => {
    const inverse = fromTerms([{ times: 1, powers: { T: -1 } }]);
    expect(product([T, inverse, 6])).toBe(6);
    expect(sum([B, 4, product([B, -1])])).toBe(4);
    expect(product([B, 0])).toBe(0);
  });

  it("are equal however they were put together", () => {
    expect(equal(product([B, T]), product([T, B]))).toBe(true);
    expect(equal(product([sum([B, 1]), T]), sum([product([B, T]), T]))).toBe(true);
    expect(equal(B, T)).toBe(false);
    expect(equal(B, 3)).toBe(false);
    expect(equal(sum([B, 0]), B)).toBe(true);
    expect(sameShape([B, 4], [dimension("B"), 4])).toBe(true);
    expect(sameShape([B, 4], [B])).toBe(false);
    expect(JSON.stringify(product([B, T]))).toBe(JSON.stringify(product([T, B])));
  });

  it("have a text for people", () => {
    expect(text(12)).toBe("12");
    expect(text(B)).toBe("B");
    expect(text(sum([product([B, T, 2]), -1]))).toBe("2·B·T - 1");
    expect(text(fromTerms([{ times: 0.5, powers: { T: -1 } }]))).toBe("0.5·T^-1");
  });
});
