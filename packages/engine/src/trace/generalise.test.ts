import { ClaraError } from "@clara/core";
import { tf } from "@clara/tensor";
import { describe, expect, it } from "vitest";
import { check, compileProgram, type Fn, floats, ints } from "../kernels/check.testing.ts";
import { type Sizes, text } from "../size.ts";
import { sampleSizes } from "./generalise.ts";

type Sized = tf.Tensor & { shape: [number, number, number] };

/** Sizes unlike all that are traced, 1 among them. */
const sizes: readonly Sizes[] = [
  { B: 1, C: 1, T: 1 },
  { B: 2, C: 5, T: 3 },
  { B: 4, C: 3, T: 8 },
];

const values = (fn: Fn, ...shapes: (number | string)[][]) =>
  check(
    fn,
    shapes.map((shape) => floats(shape)),
    { sizes, gradient: false },
  );

/** The shapes of a function's outputs. */
const shapesOf = (fn: Fn, ...shapes: (number | string)[][]): string[][] => {
  const { outputs, values } = compileProgram(
    fn,
    shapes.map((shape) => floats(shape)),
  );
  return outputs.map(({ value }) => values[value]!.shape.map(text));
};

const failureOf = (fn: Fn, ...shapes: (number | string)[][]): ClaraError => {
  try {
    compileProgram(
      fn,
      shapes.map((shape) => floats(shape)),
    );
  } catch (error) {
    expect(error).toBeInstanceOf(ClaraError);
    expect((error as ClaraError).code).toBe("engine");
    return error as ClaraError;
  }
  throw new Error("was generalised");
};

describe("generalise", () => {
  it("finds products, sums and powers of sizes", () => {
    expect(shapesOf((x) => tf.reshape(x, [-1, 4]), ["B", "T", 4])).toEqual([["B·T", "4"]]);
    expect(shapesOf((x) => tf.reshape(x, [-1]), ["B", "T", "C", 3])).toEqual([["3·B·C·T"]]);
    expect(shapesOf((x: Sized) => tf.slice(x, 1, x.shape[0] - 1), ["T"])).toEqual([["T - 1"]]);
    expect(
      shapesOf(
        (x) =>
          tf.pad(x, [
            [1, 0],
            [0, 2],
          ]),
        ["B", "T"],
      ),
    ).toEqual([["B + 1", "T + 2"]]);
    expect(
      shapesOf(
        (x) =>
          tf.reshape(
            tf.pad(x, [
              [1, 0],
              [0, 2],
            ]),
            [-1],
          ),
        ["B", "T"],
      ),
    ).toEqual([["B·T + 2·B + T + 2"]]);
    expect(shapesOf((x) => tf.reshape(tf.outerProduct(x, x), [-1]), ["T"])).toEqual([["T^2"]]);
    expect(shapesOf((x, y) => tf.concat([x, y], 1), ["B", "C", 2], ["B", "T", 2])).toEqual([["B", "C + T", "2"]]);
    const joined: Fn = (x, y) => tf.reshape(tf.concat([x, y], 1), [-1, 2]);
    expect(shapesOf(joined, ["B", "C", 2], ["B", "T", 2])).toEqual([["B·C + B·T", "2"]]);
  });

  it("finds numbers that a function computes from sizes", async () => {
    await values((x: Sized) => tf.div(x, x.shape[1]), ["B", "T"]);
    await values((x: Sized) => tf.mul(x, 1 / (x.shape[0] * x.shape[1])), ["B", "T"]);
    await values((x: Sized) => tf.mul(x, 1 / x.shape[1] ** 2), ["B", "T"]);
    await values((x: Sized) => tf.add(x, 3 * x.shape[1] - 2), ["B", "T"]);
    await values((x: Sized) => tf.add(x, x.shape[0] * (x.shape[1] + 1)), ["B", "T"]);
    await values((x: Sized) => tf.mul(x, tf.fill(x.shape, 0.5 * x.shape[0])), ["B", "T"]);
    await values((x: Sized) => tf.range(0, x.shape[0] * x.shape[1]), ["B", "T"]);
  });

  it("gives values and gradients at sizes that were not traced", async () => {
    const joined: Fn = (x, y, w) => tf.matMul(tf.reshape(tf.concat([x, y], 1), [-1, 3]), w);
    await check(joined, [floats(["B", "C", 3]), floats(["B", "T", 3]), floats([3, 2])], { sizes });
    await check((x) => tf.mean(tf.square(x), 1), [floats(["B", "T"])], { sizes });
    await check((x) => tf.mean(x), [floats(["B", "T", 3])], { sizes });
    await check((x, i) => tf.sum(tf.gather(x, i), 0), [floats([5, 2]), ints(["T"], { from: 0, to: 4 })], { sizes });
    const last: Fn = (x: Sized) => tf.squeeze(tf.slice(x, [0, x.shape[1] - 1, 0], [-1, 1, -1]), [1]);
    await check(last, [floats(["B", "T", 3])], { sizes });
    const shifted: Fn = (x: Sized) =>
      tf.sub(tf.slice(x, [0, 1], [-1, x.shape[1] - 1]), tf.slice(x, [0, 0], [-1, x.shape[1] - 1]));
    await check(shifted, [floats(["B", "T"])], { sizes: sizes.slice(1) });
  });

  it("refuses a loop over a size, and names the first operation that differs", () => {
    const loop: Fn = (x: Sized) => {
      let sum: tf.Tensor = tf.zeros([x.shape[1]]);
      for (let i = 0; i < x.shape[0]; i++) sum = tf.add(sum, tf.reshape(tf.slice(x, [i, 0], [1, -1]), [-1]));
      return sum;
    };
    expect(failureOf(loop, ["T", 3]).message).toMatch(
      /which operations it runs depends on a named dimension .*33 operations at \{"T":11\}, 39 at \{"T":13\}, the first that differs is number 34, Slice: a loop/,
    );
    expect(failureOf((x) => tf.unstack(x)[0]!, ["T", 3]).message).toMatch(/number 1, Unpack/);
  });

  it("refuses a condition over a size", () => {
    const odd: Fn = (x: Sized) => (x.shape[0] % 2 === 1 ? tf.exp(x) : tf.neg(x));
    expect(failureOf(odd, ["T"]).message).toMatch(/number 1, Exp: a loop or a condition over a size/);
  });

  it.each([
    [
      "a size that is rounded",
      (x: Sized) => tf.slice(x, 0, Math.floor(x.shape[0] / 2)),
      /axis 0 of what Slice gives depends/,
    ],
    ["a remainder", (x: Sized) => tf.pad(x, [[0, x.shape[0] % 2]]), /depends on a named dimension/],
    ["padding to a multiple", (x: Sized) => tf.pad(x, [[0, (8 - (x.shape[0] % 8)) % 8]]), /axis 0 of what PadV2 gives/],
    ["a root", (x: Sized) => tf.div(x, Math.sqrt(x.shape[0])), /a constant depends .*it is 3\.3/],
    ["a limit among the sizes", (x: Sized) => tf.slice(x, 0, Math.min(x.shape[0], 12)), /axis 0 of what Slice gives/],
    [
      "a table as long as a size",
      (x: Sized) => tf.add(x, tf.tensor1d(Array.from({ length: x.shape[0] }, (_, i) => i))),
      /make it with tf.range/,
    ],
  ] as const)("refuses %s, and says what it saw", (_, fn, message) => {
    expect(failureOf(fn as Fn, ["T"]).message).toMatch(message);
    expect(failureOf(fn as Fn, ["T"]).message).toMatch(/give the specs numbers instead of names/);
  });

  it("keeps a table that does not depend on a size", async () => {
    const table = tf.tensor2d([1, 2, 3, 4, 5, 6], [3, 2]);
    await values((x) => tf.matMul(x, table), ["B", 3]);
    table.dispose();
  });
});

describe("sampleSizes", () => {
  it("changes one size at a time and at last all, to even ones", () => {
    expect(sampleSizes(["B", "T"])).toEqual([
      { B: 11, T: 19 },
      { B: 13, T: 19 },
      { B: 11, T: 23 },
      { B: 18, T: 30 },
    ]);
  });

  it("starts above the least sizes, and has enough for any number of names", () => {
    expect(sampleSizes(["B"], { B: 100 })).toEqual([{ B: 111 }, { B: 113 }, { B: 118 }]);
    const names = Array.from({ length: 12 }, (_, i) => `N${i}`);
    const samples = sampleSizes(names);
    expect(samples).toHaveLength(14);
    expect(new Set(Object.values(samples[0]!)).size).toBe(12);
  });
});
