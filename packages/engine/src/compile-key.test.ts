import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { tf } from "@clara/tensor";
import { afterAll, describe, expect, it } from "vitest";
import { createEngine } from "./engine.ts";
import type { Specs } from "./specs.ts";

const cacheFolder = mkdtempSync(join(tmpdir(), "clara-key-"));
afterAll(() => rmSync(cacheFolder, { recursive: true }));

describe("a function compiled under a key", () => {
  let calls = 0;
  const double = ({ x }: Record<string, tf.Tensor>) => {
    calls++;
    return { twice: tf.mul(x!, 2) };
  };
  const specs: Specs = { x: { shape: ["N"] } };
  const run = async (options: { key?: string }, given: Specs = specs): Promise<number[]> => {
    const engine = await createEngine({ prefer: "compiled", cacheFolder, threads: 1 });
    try {
      const compiled = await engine.compile(double, given, options);
      const { twice } = await compiled.run({ x: { data: Float32Array.of(1, 2, 3), shape: [3] } });
      return Array.from(twice!.data);
    } finally {
      await engine.dispose();
    }
  };

  it("is traced once, by whichever process comes first", async () => {
    expect(await run({ key: "double 1" })).toEqual([2, 4, 6]);
    const traced = calls;
    expect(traced).toBeGreaterThan(0);
    expect(await run({ key: "double 1" })).toEqual([2, 4, 6]);
    expect(calls).toBe(traced);
    expect(readdirSync(cacheFolder)).toHaveLength(1);
  });

  it("is traced again under another key, for other specs, and without a key", async () => {
    await run({ key: "double 1" });
    for (const again of [
      () => run({ key: "double 2" }),
      () => run({ key: "double 1" }, { x: { shape: [3] } }),
      () => run({}),
    ]) {
      const before = calls;
      expect(await again()).toEqual([2, 4, 6]);
      expect(calls).toBeGreaterThan(before);
    }
  });
});
