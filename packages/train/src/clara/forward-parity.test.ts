import type { Weights } from "@clara/core";
import { adapterWeights, decode, decoderLogits, embedTokens, placeMemories } from "@clara/model";
import { haveFixtures, readFixture, readJson } from "@clara/model/testing";
import { crossEntropy, tf } from "@clara/tensor";
import { expectClose } from "@clara/tensor/testing";
import { selectMemories, selectTopK } from "@clara/topk";
import { describe, expect, it } from "vitest";
import { alignmentLoss } from "../losses/alignment-loss.ts";
import { type FixtureBatch, inputsOf, readCheckpoint } from "./clara-fixtures.testing.ts";
import { adapterNames, type ClaraParams, nestClara, type Role } from "./clara-params.ts";
import {
  compressDocuments,
  endToEndLoss,
  generationLoss,
  queryLoss,
  type SelectionInputs,
  scoreDocuments,
} from "./stage-losses.ts";
import { prefixed, tensorsOf } from "./tiny-clara.testing.ts";

const where = "(needs ../shared/fixtures)";
const state = { absolute: 1e-4, relative: 0 };

interface Fixture extends FixtureBatch {
  readonly memory_token_ids: readonly number[];
  readonly logits_at_labels_target: readonly number[];
  readonly loss: { readonly ce: number; readonly mse: number; readonly total: number };
  readonly topk_indices?: readonly (readonly number[])[];
  readonly pos_index?: readonly (readonly number[])[];
}

function open(name: string, checkpoint: string) {
  const fixture = readJson<Fixture>(`forward/${name}.json`);
  const recorded = readFixture(`forward/${name}.safetensors`);
  const { shape, base, adapters } = readCheckpoint(`checkpoints/${checkpoint}`);
  const tensors = tensorsOf({
    ...base,
    ...Object.assign({}, ...Object.entries(adapters).map(([role, arrays]) => prefixed(`${role}.`, arrays))),
  });
  const expected = (key: string): tf.Tensor => tf.tensor(recorded[key]!.data, [...recorded[key]!.shape]);
  const inputs = tensorsOf(inputsOf(fixture)) as unknown as SelectionInputs;
  return { fixture, recorded, expected, shape, tensors, inputs };
}

/** 1e-3 of the largest entry, as the fixtures recommend. */
function expectGradient(actual: tf.Tensor, { data, shape }: Weights[string]): void {
  const largest = data.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  expectClose(actual, tf.tensor(data, [...shape]), { absolute: 1e-3 * largest, relative: 0 });
}

/** The loss, and gradients of all trained tensors against those recorded under `<group>/`. @returns how many were compared */
function expectGradients(
  { recorded, tensors, shape }: ReturnType<typeof open>,
  group: string,
  trained: Record<string, tf.Tensor>,
  loss: (params: ClaraParams) => tf.Scalar,
  wanted: number,
): number {
  const names = Object.keys(trained);
  const { value, grads } = tf.valueAndGrads((...moved: tf.Tensor[]) => {
    return loss(nestClara({ ...tensors, ...Object.fromEntries(names.map((name, i) => [name, moved[i]!])) }, shape));
  })(Object.values(trained));
  expectClose(value, wanted, state);
  const byName = Object.fromEntries(names.map((name, i) => [name, grads[i]!]));
  const found = Object.keys(recorded).filter((key) => key.startsWith(`${group}/`));
  let compared = 0;
  for (const [role, adapter] of Object.entries(adapterNames)) {
    const own = Object.keys(byName).filter((name) => name.startsWith(`${role}.`));
    if (own.length === 0) continue;
    const arrays = Object.fromEntries(
      own.map((name) => [
        name.slice(role.length + 1),
        { data: byName[name]!.dataSync() as Float32Array, shape: byName[name]!.shape },
      ]),
    );
    // With the names and shapes of the checkpoint, so that the table of names is proved too.
    for (const [name, { data, shape: size }] of Object.entries(adapterWeights(arrays, shape.decoder))) {
      const key = `${group}/${adapter}/${name}`;
      const wanted = recorded[key] ?? { shape: size, data: new Float32Array(data.length) };
      expectGradient(tf.tensor(data, [...size]), wanted);
      if (key in recorded) compared++;
    }
  }
  const rows = recorded[`${group}/memory_rows`];
  if (rows && byName.memoryRows) {
    expectGradient(byName.memoryRows, rows);
    compared++;
  }
  expect(compared).toBe(found.length);
  return compared;
}

const trainedIn = ({ tensors, shape }: ReturnType<typeof open>, roles: readonly Role[], rows: boolean) => {
  const own = Object.entries(tensors).filter(([name]) => roles.some((role) => name.startsWith(`${role}.`)));
  const { firstMemoryId, memoryTokens, decoder } = shape;
  const memoryRows = tf.slice(tensors.words as tf.Tensor2D, [firstMemoryId, 0], [memoryTokens, decoder.width]);
  return { ...Object.fromEntries(own), ...(rows && { memoryRows }) };
};

const generating = [
  ["stage1-qa", "rate8/stage1"],
  ["stage1-paraphrase", "rate8/stage1"],
  ["stage1_2", "rate8/stage1_2"],
  ["stage1-qa-rate20", "rate20/stage1"],
] as const;

describe.skipIf(!haveFixtures).each(generating)(
  `generationLoss beside the reference: %s ${where}`,
  (name, checkpoint) => {
    it("has its memories, prompts, logits, and both parts of its loss", () => {
      tf.tidy(() => {
        const { fixture, expected, inputs, tensors, shape } = open(name, checkpoint);
        const params = nestClara(tensors, shape);
        const { memories, states: read, mask } = compressDocuments(params, inputs, shape);
        const [B, N, M, D] = memories.shape;
        expectClose(tf.reshape(memories, [B * N, M, D]), expected("memory"), state);
        const embeds = placeMemories(embedTokens(params.base, inputs.prompt), inputs.prompt, memories, shape);
        expectClose(embeds, expected("inputs_embeds"), state);
        const options = { ...shape.decoder, adapter: params.adapters.generator! };
        const states = decode(params.base, { embeds, mask: inputs.promptMask }, options);
        const rows = tf.gather(tf.reshape(states, [-1, D]) as tf.Tensor2D, inputs.rows);
        expectClose(decoderLogits(params.base, rows), expected("logits_at_labels"), { absolute: 5e-4, relative: 0 });
        expect(Array.from(inputs.targets.dataSync())).toEqual(fixture.logits_at_labels_target);
        const all = decoderLogits(params.base, tf.reshape(states, [-1, D]));
        const sums = tf.mul(tf.reshape(tf.logSumExp(all, 1), inputs.prompt.shape), inputs.promptMask);
        expectClose(sums, expected("logits_logsumexp"), state);
        const { ce, mse } = fixture.loss;
        expectClose(crossEntropy(decoderLogits(params.base, rows), inputs.targets), ce, state);
        expectClose(alignmentLoss(tf.reshape(memories, [B * N, M, D]), read, mask), mse, state);
      });
    });

    it("has its loss and gradients, of both adapters and of the memory tokens' rows", () => {
      tf.tidy(() => {
        const fixture = open(name, checkpoint);
        const { inputs, shape } = fixture;
        // Rows are trained in the first stage only.
        const trained = trainedIn(fixture, ["compressor", "generator"], checkpoint.endsWith("stage1"));
        const total = (params: ClaraParams): tf.Scalar => generationLoss(params, inputs, shape).loss;
        const count = expectGradients(fixture, "grad_total", trained, total, fixture.fixture.loss.total);
        expect(count).toBe(checkpoint.endsWith("stage1") ? 85 : 84);
      });
    });
  },
);

describe.skipIf(!haveFixtures)(`endToEndLoss beside the reference ${where}`, () => {
  it("has its memories, scores and selection", () => {
    tf.tidy(() => {
      const { fixture, expected, inputs, tensors, shape } = open("stage2", "rate8/stage2");
      const params = nestClara(tensors, shape);
      const { scores, memories } = scoreDocuments(params, inputs, shape);
      expectClose(tf.reshape(memories, [10, 6, 64]), expected("memory"), state);
      expectClose(scores, expected("scores"), { absolute: 1e-5, relative: 0 });
      const { weights, indices } = selectTopK(scores, 2);
      expectClose(weights, expected("weights"), { absolute: 1e-6, relative: 0 });
      expectClose(tf.reshape(selectMemories(weights, memories), [4, 6, 64]), expected("selected"), state);
      expect(indices.arraySync()).toEqual(fixture.topk_indices);
    });
  });

  it("has its loss and gradients, and none of the compressor", () => {
    tf.tidy(() => {
      const fixture = open("stage2", "rate8/stage2");
      const { inputs, shape, tensors } = fixture;
      const loss = (params: ClaraParams): tf.Scalar => endToEndLoss(params, inputs, shape, { selected: 2 }).loss;
      expect(
        expectGradients(
          fixture,
          "grad_ce",
          trainedIn(fixture, ["generator", "query"], false),
          loss,
          fixture.fixture.loss.ce,
        ),
      ).toBe(84);
      const frozen = tensors["compressor.layers.0.attention.query.a"]!;
      const name = "compressor.layers.0.attention.query.a";
      const ofCompressor = (x: tf.Tensor) => loss(nestClara({ ...tensors, [name]: x }, shape));
      expect(() => tf.grad(ofCompressor)(frozen)).toThrow("Cannot compute gradient");
    });
  });
});

describe.skipIf(!haveFixtures)(`queryLoss beside the reference ${where}`, () => {
  it("has its loss and gradients", () => {
    tf.tidy(() => {
      const stage2 = open("stage2", "rate8/stage2");
      const { inputs, shape } = stage2;
      const { loss, pos_index } = readJson<{ loss: number; pos_index: number[][] }>("forward/retrieval-loss.json");
      const positives = tf.tensor2d(pos_index.map((own) => [0, 1, 2, 3, 4].map((i) => Number(own.includes(i)))));
      const of = (params: ClaraParams): tf.Scalar => queryLoss(params, inputs, positives, shape);
      const fixture = { ...stage2, recorded: readFixture("forward/retrieval-loss.safetensors") };
      expect(expectGradients(fixture, "grad", trainedIn(stage2, ["query"], false), of, loss)).toBe(42);
    });
  });
});

describe.skipIf(!haveFixtures)(`compressDocuments beside the reference ${where}`, () => {
  it.each(["rate8-stage1", "rate8-stage2", "rate20-stage1"])("has the memories of 12 documents: %s", (name) => {
    tf.tidy(() => {
      type Rows = { checkpoint: string; mse: number; input_ids: number[][]; attention_mask: number[][] };
      const { checkpoint, mse, input_ids, attention_mask } = readJson<Rows>(`compress/${name}.json`);
      const { shape, base, adapters } = readCheckpoint(checkpoint);
      const tensors = tensorsOf({ ...base, ...prefixed("compressor.", adapters.compressor!) });
      const [documents, documentMask] = [input_ids, attention_mask].map((rows) =>
        tf.tensor3d([rows], undefined, "int32"),
      );
      const inputs = { documents: documents!, documentMask: documentMask! };
      const { memories, states, mask } = compressDocuments(nestClara(tensors, shape), inputs, shape);
      const memory: tf.Tensor3D = tf.squeeze(memories, [0]);
      const recorded = readFixture(`compress/${name}.safetensors`).memory!;
      expectClose(memory, tf.tensor(recorded.data, [...recorded.shape]), state);
      expectClose(alignmentLoss(memory, states, mask), mse, state);
    });
  });
});
