import { tf } from "@clara/tensor";
import { expectClose } from "@clara/tensor/testing";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { borrowKernels } from "./borrow-kernels.ts";

// A back end that only keeps values: every kernel that runs on it is borrowed.
const name = "only-a-store";
let borrowed: string[] = [];

beforeAll(async () => {
  const Store = tf.findBackend("cpu")!.constructor as new () => never;
  tf.registerBackend(name, () => new Store());
  tf.registerKernel({ kernelName: "Neg", backendName: name, kernelFunc: () => expect.fail("its own Neg ran") });
  borrowed = borrowKernels(tf, name);
  await tf.setBackend(name);
});
afterAll(async () => {
  await tf.setBackend("cpu");
  tf.removeBackend(name);
  for (const { kernelName } of tf.getKernelsForBackend(name)) tf.unregisterKernel(kernelName, name);
});

describe("borrowKernels", () => {
  it("takes what is lacking, in order, and leaves what is there", () => {
    expect(borrowed).toContain("UnsortedSegmentSum");
    expect(borrowed).toContain("Einsum");
    expect(borrowed).not.toContain("Neg");
    expect(borrowed).not.toContain("FFT");
    expect(borrowed).toEqual([...borrowed].sort());
    expect(borrowKernels(tf, name)).toEqual([]);
    expect(() => tf.neg(tf.scalar(1))).toThrow("its own Neg ran");
  });

  it("gives the gradient of an embedding", () => {
    const words = tf.tensor2d([1, 2, 3, 4], [2, 2]);
    const rows = tf.tensor1d([1, 1, 0], "int32");
    const gradient = tf.grad((x) => tf.sum(tf.mul(tf.gather(x as typeof words, rows), [[1], [10], [100]])))(words);
    expectClose(gradient, [100, 100, 11, 11]);
  });

  it("hands over lists of inputs, one tensor twice, and several outputs", () => {
    const x = tf.tensor2d([1, 2, 3, 4], [2, 2]);
    expectClose(tf.einsum("ij,kj->ik", x, x), [5, 11, 11, 25]);
    expectClose(tf.concat([x, x], 1), [1, 2, 1, 2, 3, 4, 3, 4]);
    const [left, right] = tf.split(x, 2, 1);
    expectClose(left!, [1, 3]);
    expectClose(right!, [2, 4]);
    expect(tf.topk(x, 1).indices.dataSync()).toEqual(new Int32Array([1, 1]));
  });

  it("keeps no copies on either back end, and leaves its inputs as they were", () => {
    const cpu = tf.findBackend("cpu")!;
    const before = [tf.memory().numTensors, tf.backend().numDataIds(), cpu.numDataIds()];
    tf.tidy(() => {
      const x = tf.tensor1d([1, 2, 3]);
      tf.sum(tf.reshape(tf.cast(tf.add(x, x), "int32"), [3, 1]));
      expectClose(x, [1, 2, 3]);
    });
    expect([tf.memory().numTensors, tf.backend().numDataIds(), cpu.numDataIds()]).toEqual(before);
  });
});
