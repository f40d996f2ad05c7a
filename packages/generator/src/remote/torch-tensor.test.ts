import { describe, expect, it } from "vitest";
import { readPromptEmbeds } from "./server.testing.ts";
import { type PromptDtype, torchTensor } from "./torch-tensor.ts";

const sent = (data: Float32Array, shape: readonly [number, number], dtype: PromptDtype) =>
  readPromptEmbeds(Buffer.from(torchTensor(data, shape, dtype)).toString("base64"));

describe("torchTensor", () => {
  it.each(["F32", "F16", "BF16"] as const)("writes one bare tensor of %s with its shape", (dtype) => {
    const data = Float32Array.of(0, -1, 1.5, 2, -0.125, 65_504);
    const expected = dtype === "BF16" ? Float32Array.of(0, -1, 1.5, 2, -0.125, 65_536) : data;
    expect(sent(data, [2, 3], dtype)).toEqual({ dtype, shape: [2, 3], data: expected });
  });

  it("writes a part of a larger array", () => {
    const data = Float32Array.of(9, 1, 2, 9).subarray(1, 3);
    for (const dtype of ["F32", "BF16"] as const) expect([...sent(data, [1, 2], dtype).data]).toEqual([1, 2]);
  });

  it("refuses numbers that the dtype cannot hold, and other shapes", () => {
    const of = (value: number, dtype: PromptDtype) => () => torchTensor(Float32Array.of(0, 1, value, 3), [2, 2], dtype);
    expect(of(Number.NaN, "F32")).toThrow("number 0 of row 1 is NaN, which F32 cannot hold");
    expect(of(-70_000, "F16")).toThrow('number 0 of row 1 is -70000, which F16 cannot hold; use dtype "F32"');
    expect(of(3.4e38, "BF16")).toThrow("BF16 cannot hold");
    expect(of(65_519, "F16")).not.toThrow();
    expect(() => torchTensor(new Float32Array(5), [2, 3], "F32")).toThrow("got 5 numbers for [2, 3]");
    expect(() => torchTensor(new Float32Array(0), [0, 3], "F32")).toThrow("got 0 numbers for [0, 3]");
  });
});
