import { describe, expect, it } from "vitest";
import { parseDecoderConfig } from "./decoder-config.ts";
import { tinyConfigFile as file } from "./tiny-decoder.testing.ts";

describe("parseDecoderConfig", () => {
  it("reads Hugging Face's names", () => {
    expect(parseDecoderConfig(file)).toEqual({
      width: 8,
      layers: 2,
      heads: 2,
      keyHeads: 1,
      headWidth: 4,
      feedForward: 6,
      vocabulary: 11,
      normEps: 1e-5,
      frequencies: [1, 0.01],
      window: null,
      biases: false,
      headNorms: false,
      tiedHead: false,
    });
  });

  it("knows what each family has", () => {
    expect(parseDecoderConfig({ ...file, sliding_window: 7 }).window).toBe(7);
    expect(parseDecoderConfig({ ...file, model_type: "llama", sliding_window: 7 }).window).toBe(null);
    const qwen2 = parseDecoderConfig({ ...file, model_type: "qwen2", sliding_window: 7, tie_word_embeddings: true });
    expect([qwen2.biases, qwen2.headNorms, qwen2.tiedHead, qwen2.window]).toEqual([true, false, true, null]);
    const qwen3 = parseDecoderConfig({ ...file, model_type: "qwen3", head_dim: 6 });
    expect([qwen3.biases, qwen3.headNorms, qwen3.headWidth]).toEqual([false, true, 6]);
  });

  it("takes as many heads of keys as of queries when the file names none, and the newer place of the rotary base", () => {
    const { num_key_value_heads: _, rope_theta: __, ...rest } = file;
    const config = parseDecoderConfig({ ...rest, rope_parameters: { rope_theta: 100, rope_type: "default" } });
    expect([config.keyHeads, ...config.frequencies]).toEqual([2, 1, 0.1]);
  });

  it("slows the pairs that turn slowly, as Llama 3 does", () => {
    const scaling = {
      rope_type: "llama3",
      factor: 8,
      low_freq_factor: 1,
      high_freq_factor: 4,
      original_max_position_embeddings: 64,
    };
    // Pair 0 turns 64 / 2π = 10 times over 64 positions: kept. Pair 1 a tenth of a time: an eighth.
    expect(parseDecoderConfig({ ...file, rope_scaling: scaling }).frequencies).toEqual([1, 0.00125]);
    // With 25 positions pair 0 turns 3.98 times: all but 0.7 % of it is kept.
    const [mixed] = parseDecoderConfig({
      ...file,
      rope_scaling: { ...scaling, original_max_position_embeddings: 25 },
    }).frequencies;
    const kept = (25 / (2 * Math.PI) - 1) / 3;
    expect(mixed).toBeCloseTo(kept + (1 - kept) / 8, 12);
  });

  it.each([
    [null, "the file must be an object"],
    [{ ...file, model_type: "gpt2" }, 'model_type must be one of mistral, llama, qwen2, qwen3, got "gpt2"'],
    [{ ...file, hidden_act: "gelu" }, 'hidden_act must be "silu", got "gelu"'],
    [{ ...file, model_type: "llama", attention_bias: true }, "attention_bias must be false, got true"],
    [{ ...file, num_hidden_layers: 1.5 }, "num_hidden_layers must be a whole number above 0, got 1.5"],
    [{ ...file, vocab_size: undefined }, "vocab_size must be a whole number above 0, got nothing"],
    [{ ...file, num_attention_heads: 3 }, "head_dim must be a whole number above 0, got 2.66"],
    [{ ...file, num_attention_heads: 4, num_key_value_heads: 3 }, "3 heads of keys do not divide 4 heads"],
    [{ ...file, head_dim: 5 }, "the width of a head must be even, got 5"],
    [{ ...file, rms_norm_eps: 0 }, "rms_norm_eps must be a number above 0, got 0"],
    [{ ...file, rope_theta: "1e6" }, 'rope_theta must be a number above 1, got "1e6"'],
    [{ ...file, rope_scaling: { rope_type: "yarn" } }, 'rope_type must be "default" or "llama3", got "yarn"'],
    [{ ...file, rope_scaling: { rope_type: "llama3" } }, "rope_scaling.factor must be a number above 0, got nothing"],
    [{ ...file, num_hidden_layers: 1e9 }, "num_hidden_layers must be at most 1024, got 1000000000"],
    [{ ...file, head_dim: 1e12 }, "head_dim must be at most 4096, got 1000000000000"],
    [{ ...file, sliding_window: 0 }, "sliding_window must be a whole number above 0 or null, got 0"],
    [
      { ...file, model_type: "qwen2", use_sliding_window: true, sliding_window: 7 },
      "layers with and without a sliding window in one model are not built in",
    ],
  ])("names what it cannot use: %#", (json, message) => {
    expect(() => parseDecoderConfig(json)).toThrow(message);
  });
});
