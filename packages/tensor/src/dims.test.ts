import { ClaraError } from "@clara/core";
import { describe, expect, expectTypeOf, it } from "vitest";
import { dims, tf } from "./index.ts";

describe("dims", () => {
  const x = tf.zeros([2, 3, 5]);

  it("binds the named sizes and checks the numbers", () => {
    const sizes = dims("f: x", x, ["B", "T", 5]);
    expect(sizes).toEqual({ B: 2, T: 3 });
    expectTypeOf(sizes).toEqualTypeOf<{ readonly B: number; readonly T: number }>();
  });

  it("names the function, the wanted shape and the shape it got", () => {
    expect(() => dims("linear: x", x, ["B", "T", 384])).toThrow("linear: x must be [B, T, 384], got [2, 3, 5]");
    expect(() => dims("linear: x", x, ["B", "T", 384])).toThrow(ClaraError);
    expect(() => dims("linear: x", x, ["B", "T", 384])).toThrow(expect.objectContaining({ code: "shape" }));
  });

  it("refuses a tensor with more or fewer dimensions than names", () => {
    expect(() => dims("f: x", x, ["B", "T"])).toThrow("f: x must be [B, T], got [2, 3, 5]");
    expect(() => dims("f: x", x, ["B", "T", "I", "O"])).toThrow("f: x must be [B, T, I, O], got [2, 3, 5]");
  });

  it("holds a repeated name to one size", () => {
    expect(dims("f: x", tf.zeros([3, 3]), ["N", "N"])).toEqual({ N: 3 });
    expect(() => dims("f: x", tf.zeros([3, 4]), ["N", "N"])).toThrow("f: x must be [N, N], got [3, 4]");
  });

  it("takes a scalar and empty dimensions for what they are", () => {
    expect(dims("f: x", tf.scalar(1), [])).toEqual({});
    expect(dims("f: x", tf.zeros([0, 2]), ["N", 2])).toEqual({ N: 0 });
  });
});
