import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { expectClose } from "@clara/tensor/testing";
import { describe, expect, it } from "vitest";
import { tiny, tinyDecoder } from "../decode/tiny-decoder.testing.ts";
import type { GenerateRequest, Token } from "../protocol.ts";
import type { Specs } from "../specs.ts";
import { programOf } from "../trace/program-of.ts";
import { createDecoder } from "./decoder.ts";
import { ortRunner } from "./ort-runner.ts";
import type { Runner } from "./runner.ts";
import { createStore } from "./stores.ts";

process.env.ORT_DISABLE_TELEMETRY = "1"; // read when the library loads

const model = tinyDecoder();

async function programOfStep() {
  const cache = { shape: ["B", tiny.keyHeads, "C", tiny.headWidth] };
  const specs: Specs = {
    ids: { shape: ["B", "T"], dtype: "int32" },
    lengths: { shape: ["B"], dtype: "int32" },
    ...Object.fromEntries([0, 1].flatMap((i) => [`keys.${i}`, `values.${i}`]).map((name) => [name, cache])),
  };
  const weights = Object.fromEntries(
    Object.entries(model.arrays).map(([name, { shape }]) => [name, { shape, dtype: "float32" as const }]),
  );
  return (await programOf(model.step, specs, { weights, kernelSet: "fused" })).program;
}

/** A decoder in this thread, and a copy of all logits that its programs give. */
async function open(leastSlots = 4) {
  const seen: { lengths: number[]; logits: Float32Array }[] = [];
  const real = await ortRunner({ threads: 1 });
  const runner: Runner = {
    ...real,
    async load(...args) {
      const loaded = await real.load(...args);
      return {
        ...loaded,
        async run(inputs, sizes, into) {
          const results = await loaded.run(inputs, sizes, into);
          seen.push({ lengths: Array.from(inputs.lengths!.data), logits: (into!.logits as Float32Array).slice() });
          return results;
        },
      };
    },
  };
  const store = await createStore({ arrays: model.arrays }, false);
  const cache = { ...model.cache, leastSlots, mostSlots: Infinity };
  const step = await programOfStep();
  return {
    seen,
    decoder: await createDecoder(runner, store, { id: 1, step, params: [], options: { prepack: true }, cache }),
  };
}

const request = (prompts: number[][], more: Partial<GenerateRequest> = {}): GenerateRequest => ({
  id: 1,
  prompts: prompts.map((ids) => Int32Array.from(ids)),
  lengths: prompts.map((ids) => ids.length),
  seeds: prompts.map((_, i) => i),
  stop: [],
  maxTokens: 10,
  temperature: 1,
  topP: 1,
  logProbabilities: false,
  ...more,
});

/** The answers, and a call that collects them. */
function collect(rows: number, signal = new AbortController().signal) {
  const answers = Array.from({ length: rows }, (): number[] => []);
  const part = (tokens: unknown) => {
    for (const { row, id } of tokens as Token[]) answers[row]!.push(id);
  };
  return { answers, call: { part, signal } };
}

describe("createDecoder", () => {
  it("computes at every step the logits that the whole sequence gives without a cache", async () => {
    const { decoder, seen } = await open();
    const prompts = [[1, 2, 3], [4], [5, 6, 7, 8, 9, 10, 11]];
    const { answers, call } = collect(3);
    await decoder.generate(request(prompts), call);
    expect(answers.map((ids) => ids.length)).toEqual([10, 10, 10]);
    expect(new Set(answers.flat()).size).toBeGreaterThan(10);
    // First each prompt alone, then a token of each at a time.
    expect(seen.length).toBe(3 + 9);
    seen.forEach(({ lengths, logits }, at) => {
      const rows = at < 3 ? [at] : [0, 1, 2];
      expect(lengths).toEqual(rows.map((row) => (at < 3 ? 0 : prompts[row]!.length + at - 3)));
      rows.forEach((row, i) => {
        const ids = [...prompts[row]!, ...answers[row]!.slice(0, Math.max(0, at - 2))];
        const expected = model.logitsOf(ids);
        const scale = Math.hypot(...expected) / Math.sqrt(expected.length);
        const own = logits.slice(i * tiny.words, (i + 1) * tiny.words);
        expectClose(own, expected, { absolute: 1e-5 * scale });
      });
    });
    await decoder.release();
  });

  it("reads a prompt that is longer than a part of one as one", async () => {
    const { decoder, seen } = await open();
    const prompt = Array.from({ length: 300 }, (_, i) => (i * 7) % tiny.words);
    const { answers, call } = collect(1);
    await decoder.generate(request([prompt], { maxTokens: 2 }), call);
    expect(seen.map(({ lengths }) => lengths[0])).toEqual([0, 256, 300]);
    expectClose(seen[1]!.logits, model.logitsOf(prompt), { absolute: 1e-5 });
    expectClose(seen[2]!.logits, model.logitsOf([...prompt, answers[0]![0]!]), { absolute: 1e-5 });
    await decoder.release();
  });

  it("frees its caches when it is done, and when it is stopped", async () => {
    setFlagsFromString("--expose-gc");
    const collectGarbage = runInNewContext("gc") as () => void;
    const { decoder, seen } = await open(2 ** 16); // 2 rows · 4 arrays · 2 heads · 65536 slots · 8 numbers: 33 MB
    const bytes = async () => {
      // The first collection finds the arrays, and a thread frees them; the next ones wait for it.
      for (let i = 0; i < 3; i++) {
        await new Promise((resolve) => setImmediate(resolve));
        collectGarbage();
      }
      return process.memoryUsage().arrayBuffers;
    };
    const run = async (signal?: AbortSignal) => {
      const { call } = collect(2, signal);
      await decoder.generate(request([[1], [2]], { maxTokens: 3 }), call);
      seen.length = 0;
    };
    await run();
    const before = await bytes();
    for (let i = 0; i < 3; i++) await run();
    const stop = new AbortController();
    stop.abort();
    // Not by `rejects`, which keeps the error, and its stack keeps the functions that it passed with all they see.
    expect(await run(stop.signal).catch(({ code }) => code)).toBe("aborted");
    expect((await bytes()) - before).toBeLessThan(1e6);
    await decoder.release();
  });
});
