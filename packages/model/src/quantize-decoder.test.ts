import { matMulNBits, type NBits, tf } from "@clara/tensor";
import { checkGradient, expectClose, expectNoLeaks } from "@clara/tensor/testing";
import { describe, expect, it } from "vitest";
import { decode, decoderLogits } from "./decoder.ts";
import { decoderArrays } from "./decoder-arrays.ts";
import { type DecoderConfig, parseDecoderConfig } from "./decoder-config.ts";
import { nBitsWeight } from "./decoder-linear.ts";
import { type DecoderAdapter, type DecoderParams, nestDecoder } from "./decoder-params.ts";
import { type PackedArrays, quantizeDecoder } from "./quantize-decoder.ts";
import { decoderCheckpoint, tinyConfigFile } from "./tiny-decoder.testing.ts";

const sizes = { hidden_size: 32, intermediate_size: 64, num_attention_heads: 2, num_key_value_heads: 1 };
const close = { absolute: 1e-4, relative: 1e-4 };
const ids = (): tf.Tensor2D => tf.tensor2d([[1, 2, 3]], undefined, "int32");
const mask = (): tf.Tensor2D => tf.ones([1, 3], "int32");

function tensorsOf(arrays: PackedArrays): Record<string, tf.Tensor> {
  const dtype = (data: object) => (data instanceof Int32Array ? "int32" : "float32");
  return Object.fromEntries(
    Object.entries(arrays).map(([name, { data, shape }]) => [name, tf.tensor(data, [...shape], dtype(data))]),
  );
}

/** A decoder in few bits, and the whole one that it stands for. */
function both(bits: NBits, changes: object = {}): { config: DecoderConfig; few: DecoderParams; whole: DecoderParams } {
  const config = parseDecoderConfig({ ...tinyConfigFile, ...sizes, ...changes });
  const arrays = decoderArrays(decoderCheckpoint(config), config);
  const packed = tensorsOf(quantizeDecoder(arrays, config, { bits, blockSize: 16 }));
  const whole = Object.entries(packed).flatMap(([name, tensor]): [string, tf.Tensor][] => {
    if (name.endsWith(".scales")) return [];
    if (!name.endsWith(".packed")) return [[name, tensor]];
    const path = name.slice(0, -".packed".length);
    const map = { packed: tensor as tf.Tensor2D, scales: packed[`${path}.scales`] as tf.Tensor2D };
    const I = (tensor.shape[1]! * 32) / bits;
    const weight = matMulNBits(tf.eye(I), nBitsWeight(path, map, I)); // [I, O]
    return [path === "head" ? ["head", tf.transpose(weight)] : [`${path}.weight`, weight]];
  });
  return { config, few: nestDecoder(packed), whole: nestDecoder(Object.fromEntries(whole)) };
}

const adapterOf = (scale = 0.5): DecoderAdapter => ({
  "layers.0.attention.query": {
    a: tf.randomNormal([32, 2], 0, 0.5, "float32", 1),
    b: tf.randomNormal([2, 32], 0, 0.5, "float32", 2),
    scale,
  },
  "layers.1.feedForward.down": {
    a: tf.randomNormal([64, 2], 0, 0.5, "float32", 3),
    b: tf.randomNormal([2, 32], 0, 0.5, "float32", 4),
    scale,
  },
});

describe("a decoder in 4 or 8 bits", () => {
  const families = [{}, { model_type: "qwen2", tie_word_embeddings: true }, { model_type: "qwen3", head_dim: 24 }];
  it.each(([4, 8] as const).flatMap((bits) => families.map((family) => [bits, family] as const)))(
    "computes what its weights of %i bits stand for: %j",
    (bits, family) => {
      tf.tidy(() => {
        const { config, few, whole } = both(bits, family);
        for (const options of [config, { ...config, adapter: adapterOf() }]) {
          if ("adapter" in options && config.headWidth === 24) continue; // this adapter is for the usual widths
          const [x, y] = [few, whole].map((params) => decode(params, { ids: ids(), mask: mask() }, options));
          expectClose(x!, y!, close);
          const rows = tf.reshape(y!, [3, 32]) as tf.Tensor2D;
          expectClose(decoderLogits(few, rows), decoderLogits(whole, rows), close);
        }
      });
    },
  );

  it("is close to what it was made from, closer with 8 bits", () => {
    tf.tidy(() => {
      const config = parseDecoderConfig({ ...tinyConfigFile, ...sizes });
      const exact = nestDecoder(tensorsOf(decoderArrays(decoderCheckpoint(config), config)));
      const run = (params: DecoderParams): tf.Tensor => decode(params, { ids: ids(), mask: mask() }, config);
      const error = (bits: NBits): number => tf.mean(tf.abs(tf.sub(run(both(bits).few), run(exact)))).dataSync()[0]!;
      expect(error(8)).toBeLessThan(0.02);
      expect(error(8) * 8).toBeLessThan(error(4));
      expect(error(4)).toBeLessThan(0.4);
    });
  });

  it("sends gradients to the adapters through packed weights, those of the whole ones", () => {
    const { config, few, whole } = both(4);
    const adapter = Object.entries(adapterOf());
    const inputs = adapter.flatMap(([, { a, b }]) => [a, b]);
    const [tokens, tokenMask] = [ids(), mask()];
    const lossOf =
      (params: DecoderParams) =>
      (...moved: tf.Tensor[]): tf.Scalar => {
        const own = adapter.map(([path, { scale }], i) => [
          path,
          { a: moved[2 * i], b: moved[2 * i + 1], scale } as DecoderAdapter[string],
        ]);
        const states = decode(
          params,
          { ids: tokens, mask: tokenMask },
          { ...config, adapter: Object.fromEntries(own) },
        );
        const logits = decoderLogits(params, tf.reshape(states, [3, 32]));
        return tf.mean(tf.square(logits));
      };
    tf.tidy(() => {
      const [mine, theirs] = [few, whole].map((params) => tf.grads(lossOf(params))(inputs));
      for (const [i, gradient] of mine!.entries()) {
        const largest = tf.max(tf.abs(theirs![i]!)).dataSync()[0]!;
        expect(largest).toBeGreaterThan(0);
        expectClose(gradient, theirs![i]!, { absolute: 1e-4 * largest, relative: 0 });
      }
    });
    expectNoLeaks(() => decode(few, { ids: tokens, mask: tokenMask }, config));
  });

  it("sends gradients to vectors in place of tokens", () => {
    const { config, few } = both(8);
    const one = { ...few, layers: few.layers.slice(0, 1) };
    const embeds = tf.randomNormal<tf.Rank.R3>([1, 2, 32], 0, 1, "float32", 4);
    const [ones, mix] = [tf.ones<tf.Rank.R2>([1, 2]), tf.randomNormal([1, 2, 32], 0, 1, "float32", 5)];
    checkGradient(
      (embeds: tf.Tensor3D) => tf.sum(tf.mul(mix, decode(one, { embeds, mask: ones }, config))),
      [embeds] as const,
      { step: 0.01, tolerance: 1e-2 },
    );
  });

  it("drops entries in training as a whole one does", () => {
    tf.tidy(() => {
      const { config, few, whole } = both(8);
      const dropout = { rate: 0.5, seed: 3, step: tf.scalar(1, "int32") };
      const options = { ...config, adapter: adapterOf(), dropout };
      const [x, y] = [few, whole].map((params) => decode(params, { ids: ids(), mask: mask() }, options));
      expectClose(x!, y!, close);
    });
  });
});

describe("quantizeDecoder", () => {
  const config = parseDecoderConfig({ ...tinyConfigFile, ...sizes });
  const arrays = decoderArrays(decoderCheckpoint(config), config);

  it("packs the maps of layers and the head, and nothing else", () => {
    const packed = quantizeDecoder(arrays, config, { bits: 4 });
    const of = (name: string) => [packed[name]!.shape, packed[name]!.data.constructor.name];
    expect(of("layers.1.feedForward.down.packed")).toEqual([[32, 8], "Int32Array"]);
    expect(of("layers.1.feedForward.down.scales")).toEqual([[32, 2], "Float32Array"]);
    expect(of("head.packed")).toEqual([[11, 4], "Int32Array"]);
    for (const same of ["words", "norm", "layers.0.attention.norm"]) expect(packed[same]).toBe(arrays[same]);
    expect(Object.keys(packed).length).toBe(3 + 1 + 2 * (7 * 2 + 2));
    const eight = quantizeDecoder(arrays, config, { bits: 8 });
    expect(eight["layers.0.attention.key.packed"]!.shape).toEqual([16, 8]);
  });

  it("packs a tied head beside the words, as one of its own would be", () => {
    const tied = parseDecoderConfig({ ...tinyConfigFile, ...sizes, tie_word_embeddings: true });
    const { head: _, ...shared } = arrays;
    const packed = quantizeDecoder(shared, tied, { bits: 4 });
    const own = quantizeDecoder({ ...shared, head: shared.words! }, config, { bits: 4 });
    expect(packed).toEqual(own);
    expect(packed.words).toBe(arrays.words);
    expect(packed["head.packed"]!.shape).toEqual([11, 4]);
  });

  it("leaves maps whole whose numbers are no whole blocks", () => {
    const odd = parseDecoderConfig({ ...tinyConfigFile, ...sizes, intermediate_size: 40 });
    const packed = quantizeDecoder(decoderArrays(decoderCheckpoint(odd), odd), odd, { bits: 8 });
    expect(packed["layers.0.feedForward.down.weight"]!.shape).toEqual([40, 32]);
    expect(packed["layers.0.feedForward.up.packed"]!.shape).toEqual([40, 8]);
  });

  it("names what is missing, no number, or of no such shape", () => {
    const { norm: _, ...cut } = arrays;
    expect(() => quantizeDecoder(cut, config, { bits: 4 })).toThrow('there is no array "norm"');
    const head = { shape: [11, 32], data: new Float32Array(11 * 32).fill(Number.NaN) };
    expect(() => quantizeDecoder({ ...arrays, head }, config, { bits: 4 })).toThrow("are not all finite");
    expect(() => quantizeDecoder(arrays, config, { bits: 4, blockSize: 8 })).toThrow("blockSize must be a power of 2");
    tf.tidy(() => {
      const tensors = tensorsOf(quantizeDecoder(arrays, config, { bits: 4 }));
      const wrong = { ...tensors, "layers.0.attention.query.packed": tf.zeros([32, 3], "int32") };
      const run = () => decode(nestDecoder(wrong), { ids: ids(), mask: mask() }, config);
      expect(run).toThrow("decode: layers.0.attention.query: packed [32,3] and scales [32,1] are no weight of 4 or 8");
    });
  });
});
