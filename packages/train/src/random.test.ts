import { describe, expect, it } from "vitest";
import { permutation, random } from "./random.ts";

const draws = (count: number, ...keys: number[]): number[] => {
  const { next } = random(...keys);
  return Array.from({ length: count }, next);
};

/** Of two lists of numbers, from -1 to 1. */
function correlation(a: readonly number[], b: readonly number[]): number {
  const mean = (list: readonly number[]): number => list.reduce((x, y) => x + y, 0) / list.length;
  const [ma, mb] = [mean(a), mean(b)];
  const dot = (x: readonly number[], mx: number, y: readonly number[], my: number): number =>
    x.reduce((sum, value, i) => sum + (value - mx) * (y[i]! - my), 0);
  return dot(a, ma, b, mb) / Math.sqrt(dot(a, ma, a, ma) * dot(b, mb, b, mb));
}

describe("random", () => {
  it("gives the same numbers for the same keys, and others for others", () => {
    expect(draws(5, 7, 1, 2)).toEqual(draws(5, 7, 1, 2));
    const firsts = [[7], [7, 0], [0, 7], [7, 1], [8], [7, 1, 2], [7, 2, 1], [1, 7]].map((keys) => draws(1, ...keys)[0]);
    expect(new Set(firsts).size).toBe(firsts.length);
  });

  it("gives numbers from 0 to below 1 that fill the range evenly", () => {
    const bins = new Array<number>(10).fill(0);
    for (const value of draws(10_000, 42)) bins[Math.floor(value * 10)]! += 1;
    expect(bins.reduce((a, b) => a + b)).toBe(10_000);
    // Nine degrees of freedom: above 27.9 once in a thousand.
    expect(bins.reduce((sum, count) => sum + (count - 1000) ** 2 / 1000, 0)).toBeLessThan(27.9);
  });

  it("gives numbers that have nothing to do with those of neighbouring keys", () => {
    const first = (key: number): number => random(7, 0, key).next();
    const firsts = Array.from({ length: 4000 }, (_, i) => first(i));
    // Standard error 1 / √4000 = 0.016.
    expect(Math.abs(correlation(firsts.slice(1), firsts.slice(0, -1)))).toBeLessThan(0.06);
    for (const [a, b] of [
      [draws(4000, 7, 0), draws(4000, 7, 1)],
      [draws(4000, 7, 0), draws(4000, 8, 0)],
    ]) {
      expect(Math.abs(correlation(a!, b!))).toBeLessThan(0.06);
    }
  });

  it("draws whole numbers, chances and members", () => {
    const rng = random(1);
    const seen = Array.from({ length: 300 }, () => rng.below(3));
    expect(new Set(seen)).toEqual(new Set([0, 1, 2]));
    expect(rng.chance(0)).toBe(false);
    expect(rng.chance(1)).toBe(true);
    const share = Array.from({ length: 4000 }, () => rng.chance(0.3)).filter(Boolean).length / 4000;
    expect(Math.abs(share - 0.3)).toBeLessThan(0.03);
    expect(new Set(Array.from({ length: 50 }, () => rng.pick(["a", "b"])))).toEqual(new Set(["a", "b"]));
  });
});

describe("permutation", () => {
  it("has every position once, in an order that the keys decide", () => {
    const order = permutation(100, random(3, 0));
    expect([...order].sort((a, b) => a - b)).toEqual(Array.from({ length: 100 }, (_, i) => i));
    expect(permutation(100, random(3, 0))).toEqual(order);
    expect(permutation(100, random(3, 1))).not.toEqual(order);
    expect([...permutation(0, random(1))]).toEqual([]);
    expect([...permutation(1, random(1))]).toEqual([0]);
  });

  it("gives each of the orders of three equally often", () => {
    const counts = new Map<string, number>();
    for (let i = 0; i < 6000; i++) {
      const key = permutation(3, random(5, i)).join("");
      counts.set(key, (counts.get(key) ?? 0) + 1);
    }
    expect(counts.size).toBe(6);
    // Five degrees of freedom: above 20.5 once in a thousand.
    expect([...counts.values()].reduce((sum, count) => sum + (count - 1000) ** 2 / 1000, 0)).toBeLessThan(20.5);
  });
});
