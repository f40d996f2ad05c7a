import { describe, expect, it } from "vitest";
import { createRandom } from "./random.ts";
import { candidates, firstUnusable, logProbability, sample } from "./sample.ts";

const logs = (...weights: number[]): Float32Array => Float32Array.from(weights, Math.log);
const never = (): number => {
  throw new Error("drew");
};

/** How often each id comes in `count` draws. */
function frequencies(logits: Float32Array, options: { temperature: number; topP: number }, count = 20_000): number[] {
  const draw = createRandom(5);
  const seen = Array.from(logits, () => 0);
  for (let i = 0; i < count; i++) seen[sample(logits, options, draw)]!++;
  return seen.map((times) => times / count);
}

describe("sample", () => {
  it("takes the most probable token at temperature 0, the lowest id of several, and draws nothing", () => {
    expect(sample(Float32Array.of(1, 3, 2, 3), { temperature: 0, topP: 1 }, never)).toBe(1);
    expect(sample(Float32Array.of(-Infinity, -5), { temperature: 0, topP: 0.1 }, never)).toBe(1);
  });

  it("draws by the probabilities at temperature 1", () => {
    const [a, b, c] = frequencies(logs(1, 2, 5), { temperature: 1, topP: 1 }) as [number, number, number];
    expect(a).toBeCloseTo(1 / 8, 1.9);
    expect(b).toBeCloseTo(2 / 8, 1.9);
    expect(c).toBeCloseTo(5 / 8, 1.9);
  });

  it("draws by their squares at temperature 1/2, and by their roots at 2", () => {
    expect(frequencies(logs(1, 3), { temperature: 0.5, topP: 1 })[0]).toBeCloseTo(1 / 10, 1.9);
    expect(frequencies(logs(1, 9), { temperature: 2, topP: 1 })[0]).toBeCloseTo(1 / 4, 1.9);
  });

  it("takes ids in order as the draw goes from 0 to 1", () => {
    const at = (u: number) => sample(logs(1, 2, 1), { temperature: 1, topP: 1 }, () => u);
    expect([0, 0.24, 0.26, 0.74, 0.76, 1 - 2 ** -32].map(at)).toEqual([0, 0, 1, 1, 2, 2]);
  });

  it("never draws what has no probability", () => {
    const logits = Float32Array.of(-Infinity, 0, -Infinity);
    for (const u of [0, 0.5, 1 - 2 ** -32]) expect(sample(logits, { temperature: 1, topP: 1 }, () => u)).toBe(1);
    expect(sample(logits, { temperature: 1, topP: 0.9 }, () => 0.5)).toBe(1);
  });

  it("survives large logits and a small temperature", () => {
    expect(sample(Float32Array.of(3e38, -3e38, 1), { temperature: 1e-3, topP: 0.5 }, () => 0.5)).toBe(0);
  });
});

describe("candidates", () => {
  // Probabilities 0.1, 0.4, 0.1, 0.3, 0.1.
  const logits = logs(1, 4, 1, 3, 1);
  it.each([
    [0.01, [1]],
    [0.39, [1]],
    [0.41, [1, 3]],
    [0.69, [1, 3]],
    [0.75, [0, 1, 3]], // of equals the lowest id
    [0.85, [0, 1, 2, 3]],
    [0.95, [0, 1, 2, 3, 4]],
    [1, [0, 1, 2, 3, 4]],
  ])("are, for a topP of %f, %j", (topP, expected) => {
    const { ids, weights } = candidates(logits, 1, topP);
    expect(Array.from(ids)).toEqual(expected);
    expect(weights.length).toBe(expected.length);
    Array.from(ids).forEach((id, i) => void expect(weights[i]).toBeCloseTo(Math.exp(logits[id]!) / 4));
  });

  it("are as many as needed even when all are equally probable", () => {
    expect(candidates(new Float32Array(1000), 1, 0.5).ids.length).toBe(500);
    expect(candidates(new Float32Array(1000), 1, 0.999).ids.length).toBe(999);
  });
});

describe("logProbability", () => {
  it("is the logarithm of a token's share", () => {
    expect(logProbability(logs(1, 2, 5), 1)).toBeCloseTo(Math.log(2 / 8), 6);
    expect(logProbability(Float32Array.of(1000, 1000), 0)).toBeCloseTo(Math.log(0.5), 6);
  });
});

describe("firstUnusable", () => {
  it("finds NaN and Infinity, and nothing but -Infinity", () => {
    expect(firstUnusable(Float32Array.of(0, -Infinity, 2))).toBe(-1);
    expect(firstUnusable(Float32Array.of(0, NaN, 2))).toBe(1);
    expect(firstUnusable(Float32Array.of(0, 1, Infinity))).toBe(2);
    expect(firstUnusable(Float32Array.of(-Infinity, -Infinity))).toBe(0);
  });
});
