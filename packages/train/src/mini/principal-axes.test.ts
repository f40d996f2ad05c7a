import { expectClose } from "@clara/tensor/testing";
import { describe, expect, it } from "vitest";
import { random } from "../random.ts";
import { principalAxes, spreadAxes } from "./principal-axes.ts";

const rows = (...values: number[][]): Float32Array[] => values.map((row) => Float32Array.from(row));
/** Column k of [D, count], turned so that its largest number is above 0. */
function column(axes: Float32Array, count: number, k: number): number[] {
  const values = Array.from({ length: axes.length / count }, (_, i) => axes[i * count + k]!);
  const largest = values.reduce((a, b) => (Math.abs(b) > Math.abs(a) ? b : a));
  return values.map((value) => value * Math.sign(largest));
}
function products(axes: Float32Array, count: number): number[][] {
  const of = (k: number): number[] => Array.from({ length: axes.length / count }, (_, i) => axes[i * count + k]!);
  const numbers = Array.from({ length: count }, (_, k) => k);
  return numbers.map((a) => numbers.map((b) => of(a).reduce((sum, x, i) => sum + x * of(b)[i]!, 0)));
}
const identity = (count: number): number[][] =>
  Array.from({ length: count }, (_, a) => Array.from({ length: count }, (_, b) => (a === b ? 1 : 0)));

describe("principalAxes", () => {
  it("finds the directions that most rows have, most first, whatever the rows' lengths", () => {
    const given = rows([0, 2, 0], [0, -1, 0], [0, 9, 0], [0, 0.1, 0], [5, 0, 0], [-1, 0, 0], [0, 0, 100]);
    const axes = principalAxes(given, 3);
    expectClose(
      [0, 1, 2].map((k) => column(axes, 3, k)),
      [
        [0, 1, 0],
        [1, 0, 0],
        [0, 0, 1],
      ],
    );
    expectClose(column(principalAxes(given, 1), 1, 0), [0, 1, 0]);
  });

  it("finds axes that are not those of the coordinates", () => {
    // Second moments 3/4 along [0.6, 0.8] and 1/4 along [-0.8, 0.6].
    const axes = principalAxes(rows([3, 4], [6, 8], [-0.6, -0.8], [-4, 3]), 2);
    expectClose(
      [column(axes, 2, 0), column(axes, 2, 1)],
      [
        [0.6, 0.8],
        [0.8, -0.6],
      ],
    );
  });

  it("keeps the rows' mean, and passes over rows of zeros", () => {
    expectClose(column(principalAxes(rows([0, 0], [2, 2], [1, 1], [5, 5]), 1), 1, 0), [Math.SQRT1_2, Math.SQRT1_2]);
  });

  it("gives columns that are orthonormal, the same each time", () => {
    const { next } = random(4);
    const given = Array.from({ length: 40 }, () => Float32Array.from({ length: 12 }, () => next() - 0.4));
    const axes = principalAxes(given, 7);
    expect(axes).toHaveLength(12 * 7);
    expectClose(products(axes, 7), identity(7));
    expect(principalAxes(given, 7)).toEqual(axes);
  });
});

describe("spreadAxes", () => {
  it("mixes blocks of powers of two by signs", () => {
    const half = Math.SQRT1_2;
    expectClose(spreadAxes(Float32Array.of(1, 0, 0, 1), 2), [half, half, half, -half]);
    // 3 is a block of 2 and one of 1.
    expectClose(spreadAxes(Float32Array.of(1, 0, 0, 0, 1, 0, 0, 0, 1), 3), [half, half, 0, half, -half, 0, 0, 0, 1]);
    expectClose(spreadAxes(Float32Array.of(1, 0, 0, 0), 4), [0.5, 0.5, 0.5, 0.5]);
  });

  it("keeps columns orthonormal", () => {
    const { next } = random(5);
    const given = Array.from({ length: 30 }, () => Float32Array.from({ length: 9 }, () => next() - 0.5));
    expectClose(products(spreadAxes(principalAxes(given, 6), 6), 6), identity(6));
  });
});
