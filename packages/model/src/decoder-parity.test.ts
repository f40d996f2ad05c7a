import { crossEntropy, tf } from "@clara/tensor";
import { expectClose } from "@clara/tensor/testing";
import { describe, expect, it } from "vitest";
import { decode, decoderLogits } from "./decoder.ts";
import { haveFixtures, readJson, readModel, readTensors } from "./decoder-fixtures.testing.ts";
import type { DecoderLinear, DecoderParams } from "./decoder-params.ts";

const close = { absolute: 1e-4, relative: 0 };

// Sliding window; Llama 3's rotary scaling; biases on q, k, v; norms on q and k with a head width of its own.
const models = ["mistral-sliding", "llama3-rope", "qwen2", "qwen3"];

describe.skipIf(!haveFixtures).each(models)("decode beside transformers: %s (needs ../shared/fixtures)", (name) => {
  /** Leaves nothing behind: everything is read, and freed, with the test. */
  const test = (title: string, run: (model: ReturnType<typeof open>) => void): void =>
    it(title, () => {
      tf.tidy(() => run(open()));
    });
  const open = () => ({
    ...readModel(`decoders/${name}`),
    expected: readTensors(`decoders/${name}/expected.safetensors`),
  });
  const rows = (x: tf.Tensor): tf.Tensor2D => tf.reshape(x, [-1, x.shape.at(-1)!]);
  const ones = (B: number, T: number): tf.Tensor2D => tf.ones([B, T], "int32");

  test("has its states and logits, padded on the left or not", ({ config, params, expected }) => {
    const [ids, mask] = [expected("input_ids"), expected("attention_mask")] as [tf.Tensor2D, tf.Tensor2D];
    const states = decode(params, { ids, mask }, config); // [2, 23, D]
    // Padded places are zero in the fixture.
    const kept = (x: tf.Tensor): tf.Tensor => tf.mul(x, tf.reshape(tf.cast(mask, "float32"), [-1, 1]));
    expectClose(kept(rows(states)), rows(expected("last_hidden_state")), close);
    expectClose(kept(decoderLogits(params, rows(states))), rows(expected("logits")), close);
  });

  test("takes vectors in place of tokens", ({ config, params, expected }) => {
    const embeds = expected("inputs_embeds") as tf.Tensor3D; // [1, 9, D]
    const states = decode(params, { embeds, mask: ones(1, 9) }, config);
    expectClose(decoderLogits(params, rows(states)), rows(expected("logits_from_embeds")), close);
  });

  test("goes on with the same tokens", ({ config, params, expected }) => {
    const prompt = tf.slice(expected("input_ids"), [0, 0], [1, 23]);
    const greedy = expected("greedy_ids").arraySync() as number[];
    const ids: tf.Tensor2D = tf.concat([prompt, tf.tensor2d(greedy, [1, greedy.length], "int32")], 1) as tf.Tensor2D;
    const states = decode(params, { ids, mask: ones(1, 23 + greedy.length) }, config);
    const best = tf.argMax(decoderLogits(params, rows(states)), 1).arraySync() as number[];
    expect(best.slice(22, -1)).toEqual(greedy);
  });

  test("has its loss and gradients", ({ config, params, expected }) => {
    const ids = tf.slice(expected("input_ids"), [0, 0], [1, 23]) as tf.Tensor2D;
    const first = params.layers[0]!;
    const lossOf = (words: tf.Tensor, query: tf.Tensor, gate: tf.Tensor): tf.Scalar => {
      const [attention, feedForward] = [{ ...first.attention }, { ...first.feedForward }];
      attention.query = { ...attention.query, weight: query as tf.Tensor2D } as DecoderLinear;
      feedForward.gate = { weight: gate as tf.Tensor2D };
      const layers = [{ attention, feedForward }, ...params.layers.slice(1)];
      const changed: DecoderParams = { ...params, words: words as tf.Tensor2D, layers };
      const states = rows(decode(changed, { ids, mask: ones(1, 23) }, config));
      const read: tf.Tensor2D = tf.slice(states, [0, 0], [22, -1]);
      return crossEntropy(decoderLogits(changed, read), tf.slice(tf.reshape(ids, [-1]), [1], [22]) as tf.Tensor1D);
    };
    const inputs = [params.words, first.attention.query.weight!, first.feedForward.gate.weight!];
    const { value, grads } = tf.valueAndGrads(lossOf as (...inputs: tf.Tensor[]) => tf.Scalar)(inputs);
    expectClose(tf.reshape(value, [1]), expected("loss"), close);
    const names = ["embed_tokens", "layers.0.self_attn.q_proj", "layers.0.mlp.gate_proj"];
    for (const [i, path] of names.entries()) {
      const wanted = expected(`grad.model.${path}.weight`);
      const got = i === 0 ? grads[i]! : tf.transpose(grads[i]!);
      const largest = tf.max(tf.abs(wanted)).dataSync()[0]!;
      expectClose(got, wanted, { absolute: 1e-3 * largest, relative: 0 });
    }
  });
});

describe.skipIf(!haveFixtures)("decode beside the reference's base model (needs ../shared/fixtures)", () => {
  it("has the states and logits of three texts", () => {
    const { inputs } = readJson<{ inputs: { input_ids: number[] }[] }>("clara-tiny/base-forward.json");
    expect(inputs.length).toBe(3);
    tf.tidy(() => {
      const { config, params } = readModel("clara-tiny/base");
      const expected = readTensors("clara-tiny/base-forward.safetensors");
      for (const [i, { input_ids }] of inputs.entries()) {
        const ids = tf.tensor2d([input_ids], undefined, "int32");
        const states = tf.squeeze(decode(params, { ids, mask: tf.onesLike(ids) }, config), [0]) as tf.Tensor2D;
        expectClose(states, expected(`hidden${i}/${config.layers}`), close);
        expectClose(decoderLogits(params, states), expected(`logits${i}`), { absolute: 5e-4, relative: 0 });
      }
    });
  });
});
