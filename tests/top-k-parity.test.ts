import { afterAll, beforeAll, describe, expect, it } from "vitest";
// By path: no package may depend on both, and their agreement is nobody's alone.
import { createEngine, type Engine } from "../packages/engine/src/index.ts";
import {
  eager,
  expectGolden,
  expectSameGradients,
  readGolden,
  trained,
} from "../packages/engine/src/parity/compare.testing.ts";
import type { Case } from "../packages/engine/src/parity/models.testing.ts";
import { floats, floatsOf } from "../packages/engine/src/parity/numbers.testing.ts";
import { tf } from "../packages/tensor/src/index.ts";
import { cosineScores, selectTopK } from "../packages/topk/src/index.ts";

const [N, D, C, k] = [9, 32, 7, 3];

/** Questions choose 3 of 9 documents that learn too; the loss reads what was chosen. */
const topK: Case = {
  name: "top-k",
  specs: { question: { shape: ["B", 12] }, targets: { shape: ["B", C] } },
  inputs: { question: floats("question", [4, 12], 1), targets: floats("targets", [4, C], 1) },
  trained: floatsOf({ projection: [[12, D], 0.3], documents: [[N, D], 0.3], mix: [[k * D, C], 0.3] }),
  frozen: {},
  loss: (x, p) => {
    const query: tf.Tensor2D = tf.matMul(x.question as tf.Tensor2D, p.projection as tf.Tensor2D);
    const rows = x.question!.shape[0]!;
    const documents = p.documents as tf.Tensor2D;
    // Not tf.tile: its gradient is a loop over the copies, which cannot be compiled for any number of rows.
    const repeated = tf.mul(tf.reshape(documents, [1, N, D]), tf.ones([rows, 1, 1])) as tf.Tensor3D;
    const scores = cosineScores(query, repeated);
    const { weights } = selectTopK(scores, k, { temperature: 0.1 });
    const chosen = tf.matMul(tf.reshape(weights, [rows * k, N]) as tf.Tensor2D, documents);
    const read = tf.matMul(tf.reshape(chosen, [rows, k * D]) as tf.Tensor2D, p.mix as tf.Tensor2D);
    return tf.mean(tf.square(tf.sub(read, x.targets!)));
  },
};

describe("the loss through selectTopK, compiled", () => {
  let engine: Engine;
  beforeAll(async () => {
    await tf.setBackend("cpu");
    engine = await createEngine({ prefer: "compiled", threads: 1 });
  });
  afterAll(() => engine?.dispose());

  it("has TensorFlow.js's gradients within 1e-5, and PyTorch's within 1e-4", async () => {
    const computed = await trained(engine, topK);
    expectSameGradients(computed, eager(topK, topK.trained), 1e-5);
    expectGolden(computed, readGolden("top-k"), 1e-4);
    expect(Object.keys(computed.gradients)).toContain("projection");
  });
});
