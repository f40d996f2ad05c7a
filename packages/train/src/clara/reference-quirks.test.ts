import { createEngine } from "@clara/engine";
import { tf } from "@clara/tensor";
import { describe, expect, it } from "vitest";
import { type ClaraExample, claraPart } from "./clara-batches.ts";
import { nestClara } from "./clara-params.ts";
import { queryLoss, type SelectionInputs, scoreDocuments } from "./stage-losses.ts";
import { instructionTask } from "./tasks.ts";
import { prefixed, tensorsOf, tinyClara, tinyExamples } from "./tiny-clara.testing.ts";

const { shape, base, adapters } = tinyClara();
/** Adapters that change something: fresh ones have a zero for their second matrix. */
const moving = Object.fromEntries(
  Object.entries(adapters).map(([role, arrays]) => [
    role,
    Object.fromEntries(
      Object.entries(arrays).map(([path, { shape, data }]) => [
        path,
        { shape, data: data.map((value, i) => value + 0.05 * Math.sin(i)) },
      ]),
    ),
  ]),
) as typeof adapters;
const own = {
  ...prefixed("compressor.", moving.compressor),
  ...prefixed("generator.", moving.generator),
  ...prefixed("query.", moving.query),
};
const asked = { documents: 3, placed: 1, asked: true };
const inputsOf = (examples: readonly ClaraExample[]): SelectionInputs => {
  const { step: _, ...part } = claraPart(examples);
  return tensorsOf(part) as unknown as SelectionInputs;
};

describe("where the reference differs", () => {
  it("reads documents without dropout in the end-to-end stage, where the reference's differ from those that are stored", () => {
    tf.tidy(() => {
      const params = nestClara(tensorsOf({ ...base, ...own }), shape);
      const inputs = inputsOf(tinyExamples(2, asked));
      const dropout = { rate: 0.5, step: tf.scalar(7, "int32") };
      const [still, dropped] = [undefined, dropout].map((dropout) =>
        scoreDocuments(params, inputs, shape, { dropout }),
      );
      expect(dropped!.memories.dataSync()).toEqual(still!.memories.dataSync());
      // It is on: the question's adapter is being trained.
      expect(dropped!.scores.dataSync()).not.toEqual(still!.scores.dataSync());
    });
  });

  it("trains the query reasoner by the contrastive loss, where the reference's switch of adapters leaves no gradient", () => {
    tf.tidy(() => {
      const frozen = tensorsOf(base);
      const inputs = inputsOf(tinyExamples(2, asked));
      const positives = tf.tensor2d([1, 0, 0, 0, 1, 0], [2, 3]);
      const trained = tensorsOf(own);
      const names = Object.keys(trained).filter((name) => !name.startsWith("generator."));
      const gradients = tf.grads((...moved: tf.Tensor[]) => {
        const now = Object.fromEntries(names.map((name, i) => [name, moved[i]!]));
        const nothing = tf.addN(moved.map((tensor) => tf.sum(tf.mul(tensor, 0))));
        return tf.add(
          queryLoss(nestClara({ ...frozen, ...trained, ...now }, shape), inputs, positives, shape),
          nothing,
        );
      })(names.map((name) => trained[name]!));
      for (const [i, name] of names.entries()) {
        const largest = tf.max(tf.abs(gradients[i]!)).dataSync()[0]!;
        // Documents are read without a gradient, so what is stored stays valid.
        expect([name, largest > 0]).toEqual([name, name.startsWith("query.")]);
      }
    });
  });

  it("gives a loss of 0 to questions that no document answers, where the reference's is not a number", () => {
    tf.tidy(() => {
      const params = nestClara(tensorsOf({ ...base, ...own }), shape);
      const inputs = inputsOf(tinyExamples(2, asked));
      expect(queryLoss(params, inputs, tf.zeros([2, 3]), shape).dataSync()[0]).toBe(0);
    });
  });

  it("goes on with the generator of the stage before in the instruction stage, where the reference begins it anew", async () => {
    const engine = await createEngine({ prefer: ["compiled"], threads: 1 });
    try {
      const { params } = await instructionTask({ engine, shape, base, adapters: moving, batches: () => [] });
      const values = await Promise.all(params.map((store) => store.read()));
      const path = "layers.0.attention.query.b";
      const [found] = values.flatMap((own) => own[`generator.${path}`] ?? []);
      expect(found).toEqual(moving.generator[path]);
      await Promise.all(params.map((store) => store.dispose()));
    } finally {
      await engine.dispose();
    }
  });
});
