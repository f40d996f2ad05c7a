import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createEngine, type Engine, type Token } from "@clara/engine";
import {
  type DecoderConfig,
  decoderTensors,
  type PackedArrays,
  parseDecoderConfig,
  quantizeDecoder,
  writeSafetensors,
} from "@clara/model";
import { matMulNBits, tf } from "@clara/tensor";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { decoderSteps } from "./steps.ts";

const folder = mkdtempSync(join(tmpdir(), "clara-packed-"));
let engine: Engine;
beforeAll(async () => {
  engine = await createEngine({ prefer: "compiled", threads: 1 });
});
afterAll(async () => {
  await engine.dispose();
  rmSync(folder, { recursive: true });
});

const sizes = { hidden_size: 64, num_hidden_layers: 2, num_attention_heads: 4, num_key_value_heads: 2 };
const common = { intermediate_size: 96, vocab_size: 50, rms_norm_eps: 1e-6, rope_theta: 10_000 };

/** Seeded numbers, large enough that words differ in their probability. */
function randomDecoder(config: DecoderConfig): PackedArrays {
  let seed = 5;
  const next = (): number => {
    seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
    return seed / 2 ** 31 - 1;
  };
  return Object.fromEntries(
    decoderTensors(config).map(({ path, shape, turned }) => {
      const length = shape.reduce((a, b) => a * b, 1);
      const data = Float32Array.from({ length }, /norm$/i.test(path) ? () => 1 + next() / 4 : () => next() / 4);
      return [path, { shape: turned ? shape.toReversed() : shape, data }];
    }),
  );
}

/** The float32 decoder that packed arrays stand for. */
function wholeOf(packed: PackedArrays): PackedArrays {
  return Object.fromEntries(
    Object.entries(packed).flatMap(([name, array]): [string, PackedArrays[string]][] => {
      if (name.endsWith(".scales")) return [];
      if (!name.endsWith(".packed")) return [[name, array]];
      const path = name.slice(0, -".packed".length);
      const scales = packed[`${path}.scales`]!;
      const I = scales.shape[1]! * 32;
      const bits = ((array.shape[1]! * 32) / I) as 4 | 8;
      const { shape, data } = tf.tidy(() => {
        const tensors = {
          packed: tf.tensor2d(array.data, array.shape as [number, number], "int32"),
          scales: tf.tensor2d(scales.data, scales.shape as [number, number]),
        };
        const turned = matMulNBits(tf.eye(I), { ...tensors, blockSize: 32, bits }); // [I, O]
        const weight = path === "head" ? tf.transpose(turned) : turned;
        return { shape: weight.shape, data: weight.dataSync() as Float32Array };
      });
      return [[path === "head" ? "head" : `${path}.weight`, { shape, data }]];
    }),
  );
}

/** Greedy tokens of two prompts with their log-probabilities, by an engine that maps the arrays from a file. */
async function written(
  config: DecoderConfig,
  arrays: PackedArrays,
  options: { readonly prepack?: boolean; readonly roundInputs?: boolean } = {},
): Promise<Token[]> {
  const file = join(folder, "base.safetensors");
  const tensors = Object.entries(arrays).map(([name, { shape, data }]) => {
    const dtype = data instanceof Int32Array ? ("I32" as const) : ("F32" as const);
    return [name, { dtype, shape, bytes: new Uint8Array(data.buffer, data.byteOffset, data.byteLength) }];
  });
  writeFileSync(file, writeSafetensors(Object.fromEntries(tensors)));
  const params = await engine.params({ file });
  const vocabulary = config.vocabulary;
  const { step, layers, keyHeads, headWidth } = decoderSteps({
    ...{ decoder: config, memoryTokens: 1, firstMemoryId: vocabulary, vocabulary, loraScale: 2 },
  });
  const decoder = await engine.decoder({ step, layers, keyHeads, headWidth, params, ...options });
  const tokens: Token[] = [];
  const prompts = [[3, 14, 15, 9, 26], [5]];
  for await (const token of decoder.generate(prompts, { maxTokens: 20, logProbabilities: true })) tokens.push(token);
  await decoder.dispose();
  await params.dispose();
  return tokens;
}

const largest = (a: readonly Token[], b: readonly Token[]): number =>
  Math.max(...a.map(({ logProbability }, i) => Math.abs(logProbability! - b[i]!.logProbability!)));

describe.each([
  ["a head of its own, Mistral", { model_type: "mistral", sliding_window: null }],
  ["a tied head, Qwen2", { model_type: "qwen2", tie_word_embeddings: true }],
  ["norms of heads, Qwen3", { model_type: "qwen3", head_dim: 32 }],
])("a packed decoder in a mapped file: %s", (_, family) => {
  const config = parseDecoderConfig({ ...sizes, ...common, ...family });
  const arrays = randomDecoder(config) as Parameters<typeof quantizeDecoder>[0];

  it.each([4, 8] as const)("writes in %i bits what the decoder that its bits stand for writes", async (bits) => {
    const packed = quantizeDecoder(arrays, config, { bits });
    const expected = await written(config, wholeOf(packed));
    expect(new Set(expected.map(({ id }) => id)).size).toBeGreaterThan(5);
    const exact = await written(config, packed, { roundInputs: false });
    expect(exact.map(({ row, id }) => [row, id])).toEqual(expected.map(({ row, id }) => [row, id]));
    expect(largest(exact, expected)).toBeLessThan(1e-4);
    const asStored = await written(config, packed, { roundInputs: false, prepack: false });
    expect(asStored.map(({ row, id }) => [row, id])).toEqual(expected.map(({ row, id }) => [row, id]));
    expect(largest(asStored, expected)).toBeLessThan(1e-4);
    const rounded = await written(config, packed);
    expect(rounded).not.toEqual(exact);
    // The first token of each answer: later ones may follow another.
    const first = ([a, b]: readonly Token[]): Token[] => [a!, b!];
    expect(largest(first(rounded), first(exact))).toBeLessThan(0.1);
  });
});
