import { tf } from "@clara/tensor";
import { beforeAll, describe, expect, it } from "vitest";
import { check } from "./check.testing.ts";
import { kernels } from "./index.ts";
import { randomGraph } from "./random-graph.testing.ts";

/** Kernels that random graphs cannot reach, or would have to be built around; they have tests of their own. */
const apart = ["ClaraCachedAttention", "ClaraDequantizeNBits", "ClaraMatMulNBits"];

const graphs = 1000;
const tolerance = 1e-5;

beforeAll(() => tf.setBackend("cpu"));

describe("1,000 random graphs", () => {
  it("compute the same compiled, gradients included, at any size, and leave no tensors", async () => {
    const called = new Set<string>();
    const before = tf.memory().numTensors;
    let differentiated = 0;
    for (let seed = 0; seed < graphs; seed++) {
      const { fn, args, gradient, steps } = randomGraph(seed);
      const sizes = [{ B: 4 }, { B: 1 }];
      const program = await check(fn, args, { gradient, sizes, tolerance }).catch((error: Error) => {
        error.message = `graph ${seed} (${steps.join(", ")}): ${error.message}`;
        throw error;
      });
      for (const { kernel } of program.calls) called.add(kernel);
      if (gradient.length > 0) differentiated++;
    }
    expect(tf.memory().numTensors).toBe(before);
    expect(differentiated).toBeGreaterThan(graphs / 3);
    expect(
      Object.keys(kernels)
        .filter((kernel) => !called.has(kernel))
        .sort(),
    ).toEqual(apart);
  });

  it("are the same for the same seed", () => {
    expect(randomGraph(7).steps).toEqual(randomGraph(7).steps);
    expect(new Set(Array.from({ length: 50 }, (_, seed) => randomGraph(seed).steps.join())).size).toBeGreaterThan(45);
  });
});
