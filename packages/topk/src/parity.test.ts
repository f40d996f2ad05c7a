import { tf } from "@clara/tensor";
import { expectClose } from "@clara/tensor/testing";
import { describe, expect, it } from "vitest";
import { cosineScores, flattenMemories, selectMemories, selectTopK } from "./index.ts";
import { haveFixtures, readJson, readTensors } from "./read-fixture.testing.ts";

interface Case {
  readonly case: number;
  readonly name: string;
  readonly k: number;
  readonly tau: number;
  readonly indices: number[][];
  readonly ties: boolean;
  readonly weak_mask_effect: number;
}

const where = "(needs ../shared/fixtures)";
const cases = haveFixtures
  ? readJson<{ cases: (Case | { error: string } | { result_shape: number[] })[] }>("topk").cases.filter(
      (entry): entry is Case => "case" in entry,
    )
  : [];
/** Where the reference's weak mask lets taken documents back in, its gradients are not ours, on purpose. */
const smooth = cases.filter((entry) => !entry.ties && entry.weak_mask_effect < 1e-4);

function load({ case: number, k, tau }: Case) {
  const tensor = readTensors("topk");
  const read = (name: string): tf.Tensor => tensor(`${number}/${name}`);
  const select = (scores: tf.Tensor) => selectTopK(scores as tf.Tensor2D, k, { temperature: Math.max(tau, 1e-6) }); // as the reference does
  return { read, select, scores: read("scores") };
}

/** 1e-4 of the largest entry, as the fixtures recommend. */
function expectSameGradient(actual: tf.Tensor, expected: tf.Tensor): void {
  const largest = tf.max(tf.abs(expected)).dataSync()[0]!;
  expectClose(actual, expected, { absolute: 1e-4 * largest, relative: 0 });
}

describe.skipIf(!haveFixtures)(`selectTopK beside the reference ${where}`, () => {
  it("has a fixture for each of 16 cases, 9 of them with comparable gradients", () => {
    expect([cases.length, smooth.length]).toEqual([16, 9]);
  });

  it.for(cases.filter((entry) => !entry.ties))("selects the same documents in the same order: $name", (entry) => {
    const { read, select, scores } = load(entry);
    const { weights, indices } = select(scores);
    expect(indices.arraySync()).toEqual(entry.indices);
    expectClose(weights, read("hard"), { absolute: 0, relative: 0 });
  });

  it.for(cases.filter((entry) => entry.ties))("selects equally good documents, ties by index: $name", (entry) => {
    const { select, scores } = load(entry);
    const values = scores.arraySync() as number[][];
    const rows = select(scores).indices.arraySync();
    for (const [b, row] of rows.entries()) {
      expect(row.map((i) => values[b]![i])).toEqual(entry.indices[b]!.map((i) => values[b]![i]));
      for (const [j, i] of row.slice(1).entries()) {
        if (values[b]![i] === values[b]![row[j]!]) expect(i).toBeGreaterThan(row[j]!);
      }
    }
  });

  it.for(smooth)("sends the same gradient to the scores: $name", (entry) => {
    const { read, select, scores } = load(entry);
    const loss = (s: tf.Tensor): tf.Tensor => tf.sum(tf.mul(select(s).weights, read("upstream")));
    expectSameGradient(tf.grad(loss)(scores), read("grad_scores"));
  });

  it.for(smooth)("sends the same gradients through the selected documents: $name", (entry) => {
    const { read, select, scores } = load(entry);
    const documents = read("documents");
    const [B, N, F] = documents.shape as [number, number, number];
    const selected = (s: tf.Tensor, d: tf.Tensor): tf.Tensor =>
      tf.reshape(selectMemories(select(s).weights, tf.reshape(d, [B, N, 1, F])), [B, entry.k, F]);
    expectClose(selected(scores, documents), read("selected"));
    const [toScores, toDocuments] = tf.grads((s: tf.Tensor, d: tf.Tensor) =>
      tf.sum(tf.mul(selected(s, d), read("selected_upstream"))),
    )([scores, documents]);
    expectSameGradient(toScores!, read("selected_grad_scores"));
    expectSameGradient(toDocuments!, read("selected_grad_documents"));
  });
});

describe.skipIf(!haveFixtures)(`the end-to-end step of the reference ${where}`, () => {
  it("is retraced from queries and memories to scores, selection and the query's gradient", () => {
    const read = readTensors("forward/stage2");
    const query = read("query") as tf.Tensor2D; // [2, 384]
    const memories: tf.Tensor4D = tf.reshape(read("memory"), [2, 5, 6, 64]);
    const score = (q: tf.Tensor): tf.Tensor2D => cosineScores(q as tf.Tensor2D, flattenMemories(memories));
    expectClose(score(query), read("scores"), { absolute: 1e-5 });

    const select = (q: tf.Tensor): tf.Tensor4D => selectMemories(selectTopK(score(q), 2).weights, memories);
    expectClose(tf.reshape(select(query), [4, 6, 64]), read("selected"), { absolute: 1e-4 });

    const upstream = tf.reshape(read("grad_ce_wrt_selected"), [2, 2, 6, 64]);
    const gradient = tf.grad((q: tf.Tensor) => tf.sum(tf.mul(select(q), upstream)))(query);
    const expected = read("grad_ce_wrt_query");
    expectClose(gradient, expected, { absolute: 1e-3 * tf.max(tf.abs(expected)).dataSync()[0]!, relative: 0 });
  });
});
