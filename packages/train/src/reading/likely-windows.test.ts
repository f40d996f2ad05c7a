import { describe, expect, it } from "vitest";
import { random } from "../random.ts";
import { type Range, wordRanges } from "./crop.ts";
import { likelyWindows } from "./likely-windows.ts";

// A hundred words, of which the question shares two, far apart.
const words = Array.from({ length: 100 }, (_, i) => (i === 20 ? "castle" : i === 80 ? "built" : `word${i}`));
const text = words.join(" ");
const overlap = (part: string): number => (Number(part.includes("castle")) + Number(part.includes("built"))) / 2;
const seeds = Array.from({ length: 300 }, (_, seed) => seed);
const draw = (seed: number, inside?: Range): Range[] => likelyWindows(text, overlap, random(seed), inside);
const shown = (ranges: readonly Range[]): string[] => ranges.map(({ start, end }) => text.slice(start, end));
const share = (holds: (seed: number) => boolean): number => seeds.filter(holds).length / seeds.length;

describe("likelyWindows", () => {
  it("are runs of whole words, in order and apart", () => {
    for (const seed of seeds) {
      const ranges = draw(seed);
      expect(ranges.length).toBeGreaterThan(0);
      expect(ranges.length).toBeLessThanOrEqual(4);
      ranges.forEach(({ start, end }, i) => {
        expect(` ${text} `.slice(start, end + 2)).toMatch(/^ \S.*\S $/);
        // What touches is one window: at least a word lies between two.
        if (i > 0) expect(start - ranges[i - 1]!.end).toBeGreaterThan(2);
      });
    }
  });

  it("are a window with its neighbours, each of 9 to 14 words", () => {
    const alone = seeds.map((seed) => draw(seed)).filter((ranges) => ranges.length === 1);
    const counts = alone.map(([range]) => wordRanges(text.slice(range!.start, range!.end)).length);
    expect(Math.min(...counts)).toBeGreaterThanOrEqual(2 * 9);
    expect(Math.min(...counts)).toBeLessThanOrEqual(3 * 14);
  });

  it("share the question's words", () => {
    const either = share((seed) => overlap(shown(draw(seed)).join(" ")) > 0);
    expect(either).toBe(1); // half of the words outweighs any chance
  });

  it("hold the range whole nine times in ten, though the question's words are elsewhere", () => {
    const inside = { start: text.indexOf("word50"), end: text.indexOf("word51") };
    const held = share((seed) =>
      draw(seed, inside).some(({ start, end }) => start <= inside.start && end >= inside.end),
    );
    expect(held).toBeGreaterThan(0.88);
    expect(held).toBeLessThan(1);
    const without = share((seed) => shown(draw(seed)).join(" ").includes("word50"));
    expect(without).toBeLessThan(0.7);
  });

  it("are all of a text that is shorter than a window, or has no word", () => {
    expect(likelyWindows("Only four words here.", overlap, random(1))).toEqual([{ start: 0, end: 21 }]);
    expect(likelyWindows(" \n", overlap, random(1))).toEqual([{ start: 0, end: 2 }]);
  });

  it("are the same for the same numbers", () => {
    for (const seed of seeds.slice(0, 20)) expect(draw(seed)).toEqual(draw(seed));
  });
});
