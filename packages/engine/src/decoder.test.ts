import { ClaraError } from "@clara/core";
import { tf } from "@clara/tensor";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createRandom } from "./decode/random.ts";
import { logProbability, sample } from "./decode/sample.ts";
import { tiny, tinyDecoder } from "./decode/tiny-decoder.testing.ts";
import type { Decoder } from "./decoder.ts";
import { createEngine, type Engine } from "./engine.ts";
import type { Params } from "./params.ts";
import type { Token } from "./protocol.ts";

const model = tinyDecoder();
const prompts = [[1, 2, 3], [4], [5, 6, 7, 8, 9, 10, 11], [3, 2, 1]];

let engine: Engine;
let params: Params;
let decoder: Decoder;
beforeAll(async () => {
  engine = await createEngine({ prefer: "compiled", threads: 1 });
  params = await engine.params(model.arrays);
  decoder = await engine.decoder({ step: model.step, params, ...model.cache });
});
afterAll(() => engine.dispose());

/** What the model writes, computed anew for each token without a cache or an engine. */
function write(prompt: readonly number[], count: number, { temperature = 0, topP = 1, seed = 0 } = {}): number[] {
  const draw = createRandom(seed);
  const ids = [...prompt];
  for (let i = 0; i < count; i++) ids.push(sample(model.logitsOf(ids), { temperature, topP }, draw));
  return ids.slice(prompt.length);
}

async function tokensOf(tokens: AsyncIterable<Token>): Promise<Token[]> {
  const all: Token[] = [];
  for await (const token of tokens) all.push(token);
  return all;
}

describe("decoder.generateAll", () => {
  it("writes the most probable tokens of each prompt, alone and in a batch, again and again", async () => {
    const expected = prompts.map((prompt) => write(prompt, 6));
    expect(await decoder.generateAll(prompts, { maxTokens: 6 })).toEqual(expected);
    expect(await decoder.generateAll(prompts, { maxTokens: 6 })).toEqual(expected);
    for (const [i, prompt] of prompts.entries()) {
      expect(await decoder.generateAll([prompt], { maxTokens: 6 })).toEqual([expected[i]]);
    }
  });

  it.each([
    { temperature: 1, seed: 3 },
    { temperature: 0.8, topP: 0.9, seed: -5 },
  ])("draws the same tokens for the same seed, alone and in a batch, with %j", async (options) => {
    const expected = prompts.map((prompt) => write(prompt, 8, options));
    expect(new Set(expected.flat()).size).toBeGreaterThan(8);
    expect(await decoder.generateAll(prompts, { maxTokens: 8, ...options })).toEqual(expected);
    for (const [i, prompt] of prompts.entries()) {
      expect(await decoder.generateAll([prompt], { maxTokens: 8, ...options })).toEqual([expected[i]]);
    }
    const other = await decoder.generateAll(prompts, { maxTokens: 8, ...options, seed: 4 });
    expect(other).not.toEqual(expected);
  });

  it("draws several answers to one prompt by a list of seeds", async () => {
    const answers = await decoder.generateAll([[1], [1], [1]], { maxTokens: 8, temperature: 1, seed: [1, 2, 1] });
    expect(answers[0]).toEqual(answers[2]);
    expect(answers[0]).not.toEqual(answers[1]);
    expect(answers[1]).toEqual(write([1], 8, { temperature: 1, seed: 2 }));
  });

  it("ends each answer with the first id that stops it, while the others go on", async () => {
    const options = { maxTokens: 12, temperature: 1, seed: [1, 2, 3, 4] };
    const whole = await decoder.generateAll(prompts, options);
    const stop = [whole[0]![3]!, whole[2]![6]!];
    const cut = whole.map((ids) => {
      const end = ids.findIndex((id) => stop.includes(id));
      return end < 0 ? ids : ids.slice(0, end + 1);
    });
    expect(new Set(cut.map((ids) => ids.length)).size).toBeGreaterThan(2);
    expect(await decoder.generateAll(prompts, { ...options, stop })).toEqual(cut);
  });

  it("writes the same whether its cache had to grow or not", async () => {
    const wide = await engine.decoder({ step: model.step, params, ...model.cache, leastSlots: 256 });
    const options = { maxTokens: 90, temperature: 1, seed: 9 }; // from 64 slots to 128
    const [one, other] = [await decoder.generateAll(prompts, options), await wide.generateAll(prompts, options)];
    expect(one.map((ids) => ids.length)).toEqual([90, 90, 90, 90]);
    expect(one).toEqual(other);
    await wide.dispose();
  });

  it("ends an answer when the sequence has as many tokens as it may", async () => {
    const small = await engine.decoder({ step: model.step, params, ...model.cache, mostSlots: 5 });
    const [one, three] = [write([4], 5), write([1, 2, 3], 3)];
    expect(await small.generateAll([[4], [1, 2, 3]], { maxTokens: 100 })).toEqual([one, three]);
    expect(await small.generateAll([[1, 2, 3, 4, 5]], { maxTokens: 100 })).toEqual([write([1, 2, 3, 4, 5], 1)]);
    await expect(small.generateAll([[4], [1, 2, 3, 4, 5, 6]], { maxTokens: 1 })).rejects.toMatchObject({
      code: "input",
      message: "decoder.generate: prompt 1 has 6 tokens, at most 5 can be read",
    });
    await small.dispose();
  });

  it("begins from embeddings, or whatever the function for prompts reads", async () => {
    const D = tiny.heads * tiny.headWidth;
    const both = await engine.decoder({
      step: model.step,
      prompt: { fn: model.prompt, specs: { embeddings: { shape: ["B", "T", D] } } },
      params,
      ...model.cache,
    });
    const words = model.arrays.words!.data as Float32Array;
    const embedded = prompts.map((ids) => ({
      embeddings: {
        data: Float32Array.from(ids.flatMap((id) => [...words.subarray(id * D, (id + 1) * D)])),
        shape: [1, ids.length, D],
      },
    }));
    const options = { maxTokens: 6, temperature: 1 };
    const expected = prompts.map((prompt) => write(prompt, 6, options));
    expect(await both.generateAll(embedded, options)).toEqual(expected);
    expect(await both.generateAll([prompts[0]!, embedded[1]!], options)).toEqual(expected.slice(0, 2));
    const two = { embeddings: { data: new Float32Array(2 * D), shape: [2, 1, D] } };
    await expect(both.generateAll([two], options)).rejects.toThrow(/prompt 0 must be one sequence, B is 2/);
    await both.dispose();
  });

  it("works with heads of any width, and a single step for each head", async () => {
    const sizes = { ...tiny, heads: 3, keyHeads: 1, headWidth: 6, layers: 1 };
    const odd = tinyDecoder(sizes);
    const store = await engine.params(odd.arrays);
    const own = await engine.decoder({ step: odd.step, params: store, ...odd.cache });
    const [ids] = await own.generateAll([[1, 2]], { maxTokens: 4 });
    const expected = [1, 2];
    for (let i = 0; i < 4; i++) expected.push(sample(odd.logitsOf(expected), { temperature: 0, topP: 1 }, Math.random));
    expect(ids).toEqual(expected.slice(2));
    await own.dispose();
  });
});

describe("decoder.generate", () => {
  it("gives tokens as they come, with their log-probabilities when asked", async () => {
    const tokens = await tokensOf(decoder.generate([[1, 2], [3]], { maxTokens: 3, logProbabilities: true }));
    expect(tokens.map(({ row }) => row)).toEqual([0, 1, 0, 1, 0, 1]);
    const [first, second] = tokens.filter(({ row }) => row === 0) as [Token, Token];
    expect(first.logProbability).toBeCloseTo(logProbability(model.logitsOf([1, 2]), first.id), 5);
    expect(second.logProbability).toBeCloseTo(logProbability(model.logitsOf([1, 2, first.id]), second.id), 5);
    expect(await tokensOf(decoder.generate([[1]], { maxTokens: 1 }))).toEqual([{ row: 0, id: write([1], 1)[0] }]);
  });

  it("stops the worker when its signal fires, before as well as in the midst", async () => {
    const stop = new AbortController();
    let seen = 0;
    const run = async () => {
      for await (const _ of decoder.generate([[1]], { maxTokens: 1e9, signal: stop.signal })) {
        if (++seen === 3) stop.abort("enough");
      }
    };
    await expect(run()).rejects.toMatchObject({ code: "aborted", cause: "enough" });
    expect(seen).toBeLessThan(100);
    await expect(run()).rejects.toMatchObject({ code: "aborted" });
    // The worker would be busy for hours otherwise.
    expect(await decoder.generateAll([[1]], { maxTokens: 2 })).toEqual([write([1], 2)]);
  });

  it("stops the worker when the loop is left", async () => {
    for await (const { row } of decoder.generate([[1]], { maxTokens: 1e9 })) {
      expect(row).toBe(0);
      break;
    }
    expect(await decoder.generateAll([[1]], { maxTokens: 2 })).toEqual([write([1], 2)]);
  });

  it("ends when the engine is disposed", async () => {
    const own = await createEngine({ prefer: "compiled", threads: 1 });
    const store = await own.params(model.arrays);
    const brief = await own.decoder({ step: model.step, params: store, ...model.cache });
    const run = async () => {
      for await (const _ of brief.generate([[1]], { maxTokens: 1e9 })) await own.dispose();
    };
    await expect(run()).rejects.toMatchObject({ code: "engine", message: expect.stringMatching(/disposed/) });
  });

  const maxTokens = 2;
  it.each([
    ["no prompts", [], { maxTokens }, "shape", /there is no prompt/],
    ["an empty prompt", [[1], []], { maxTokens }, "shape", /prompt 1 is empty/],
    ["half an id", [[1, 2.5]], { maxTokens }, "shape", /prompt 0 must be ids, and its token 1 is 2.5/],
    ["a negative id", [[-1]], { maxTokens }, "shape", /its token 0 is -1/],
    [
      "inputs without a function for them",
      [{}],
      { maxTokens },
      "shape",
      /prompt 0 must be ids: the decoder has been made/,
    ],
    ["no tokens", [[1]], { maxTokens: 0 }, "option", /maxTokens must be at least 1, got 0/],
    [
      "a negative temperature",
      [[1]],
      { maxTokens, temperature: -1 },
      "option",
      /temperature must be .* at least 0, got -1/,
    ],
    ["an endless temperature", [[1]], { maxTokens, temperature: Infinity }, "option", /temperature/],
    ["no probability", [[1]], { maxTokens, topP: 0 }, "option", /topP must be above 0 and at most 1, got 0/],
    ["half a seed", [[1]], { maxTokens, seed: 0.5 }, "option", /seed must be an integer, or a list of 1, got 0.5/],
    ["too few seeds", [[1], [2]], { maxTokens, seed: [1] }, "option", /a list of 2, got \[1\]/],
  ] as const)("refuses %s at once", (_, given, options, code, message) => {
    const refused = (): unknown => {
      try {
        return decoder.generate(given as unknown as number[][], options);
      } catch (error) {
        return error;
      }
    };
    expect(refused()).toBeInstanceOf(ClaraError);
    expect(refused()).toMatchObject({ code, message: expect.stringMatching(message) });
  });

  it("passes on what the function refuses: an id that is no word", async () => {
    await expect(decoder.generateAll([[1, 40]], { maxTokens })).rejects.toMatchObject({
      code: "engine",
      message: expect.stringMatching(/decoder\.generate: .*40/s),
    });
    expect(await decoder.generateAll([[1]], { maxTokens })).toEqual([write([1], 2)]);
  });

  it("says which step gives NaN", async () => {
    const broken = await engine.decoder({
      // NaN from the third token of a sequence on.
      step: (inputs, params) => {
        const { logits, ...cache } = model.step(inputs, params) as Record<string, tf.Tensor>;
        const late = tf.greaterEqual(tf.reshape(inputs.lengths!, [-1, 1]), 3);
        return { logits: tf.where(tf.logicalAnd(late, tf.greaterEqual(logits!, -1e9)), NaN, logits!), ...cache };
      },
      params,
      ...model.cache,
    });
    await expect(broken.generateAll([[1], [1, 2]], { maxTokens: 9 })).rejects.toMatchObject({
      code: "engine",
      message: expect.stringMatching(
        /row 1, token 2: the step gives logits that cannot be used \(number 0 of 40 is NaN\)/,
      ),
    });
    await broken.dispose();
  });
});

describe("engine.decoder", () => {
  const open = (options: object) => engine.decoder({ step: model.step, params, ...model.cache, ...options });

  it.each([
    [{ layers: 0 }, "option", /layers must be an integer of at least 1, got 0/],
    [{ leastSlots: 1.5 }, "option", /leastSlots must be an integer of at least 1, got 1.5/],
    [{ prompt: { fn: model.prompt, specs: { x: { shape: ["B", 3] } } } }, "option", /need an input with the size "T"/],
    [{ layers: 3 }, "shape", /step must return keys.2 as float32 \[B, T, 16\], got only logits, keys.0/],
  ])("refuses %j", async (options, code, message) => {
    await expect(open(options)).rejects.toMatchObject({ code, message: expect.stringMatching(message) });
  });

  it("says when the logits are not those of the last token", async () => {
    const step: typeof model.step = (inputs, params) => {
      const { logits, ...cache } = model.step(inputs, params) as Record<string, tf.Tensor>;
      return { logits: tf.expandDims(logits!, 1), ...cache };
    };
    await expect(open({ step })).rejects.toMatchObject({
      code: "shape",
      message: expect.stringMatching(/step must return logits as float32 \[B, V\], got float32 \[/),
    });
  });

  it("says that a decoder is gone when it has been disposed", async () => {
    const own = await open({});
    await own.dispose();
    await expect(own.generateAll([[1]], { maxTokens: 1 })).rejects.toThrow(/the decoder is not in this worker/);
  });
});

describe("a decoder on the engine cpu", () => {
  it("writes what the compiled one writes", async () => {
    const plain = await createEngine({ prefer: "cpu" });
    const store = await plain.params(model.arrays);
    const own = await plain.decoder({ step: model.step, params: store, ...model.cache, leastSlots: 2 });
    const options = { maxTokens: 4, temperature: 1 };
    const answers = await own.generateAll(prompts.slice(0, 2), options);
    expect(answers).toEqual(prompts.slice(0, 2).map((prompt) => write(prompt, 4, options)));
    await plain.dispose();
  });
});
