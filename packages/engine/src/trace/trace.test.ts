import { readFileSync } from "node:fs";
import { ClaraError } from "@clara/core";
import { dropout, gelu, tf } from "@clara/tensor";
import { beforeAll, describe, expect, it, vi } from "vitest";
import { trace } from "./trace.ts";

type Fn = Parameters<typeof trace>[0]["fn"];

const x = { shape: [2, 3], dtype: "float32" } as const;

/** Traces over one input, x [2, 3]. */
const program = (fn: (x: tf.Tensor) => tf.TensorContainer) =>
  trace({ fn: ({ x }) => fn(x!), inputs: { x }, weights: {} }).program;

/** The error of tracing `fn`; and that nothing is left behind. */
function failureOf(fn: (x: tf.Tensor) => unknown): Error {
  const [backend, tensors, random] = [tf.getBackend(), tf.memory().numTensors, Math.random];
  const variables = Object.keys(tf.engine().registeredVariables).length;
  let failure: unknown;
  try {
    trace({ fn: (({ x }) => fn(x!)) as Fn, inputs: { x }, weights: {} });
  } catch (error) {
    failure = error;
  }
  expect(failure, "error").toBeInstanceOf(Error);
  expect(tf.getBackend()).toBe(backend);
  expect(Math.random).toBe(random);
  expect(tf.memory().numTensors).toBe(tensors);
  expect(Object.keys(tf.engine().registeredVariables).length).toBe(variables);
  expect(tf.tidy(() => Array.from(tf.add(tf.tensor1d([1, 2]), 1).dataSync()))).toEqual([2, 3]);
  return failure as Error;
}

const source = readFileSync(new URL(import.meta.url), "utf8").split("\n");

/** The line of this file that an error names. */
function lineOf({ message }: Error): string {
  const [, at] = /trace\.test\.ts:(\d+):\d+\)/.exec(message) ?? [];
  return source[Number(at) - 1] ?? `no line in: ${message}`;
}

/** Expects a ClaraError that says `what`, and where: in a line of this file that calls `code`. */
function expectRefusal(fn: (x: tf.Tensor) => unknown, what: RegExp, code: string): void {
  const failure = failureOf(fn);
  expect(failure.message).toMatch(what);
  expect(failure).toBeInstanceOf(ClaraError);
  expect((failure as ClaraError).code).toBe("engine");
  expect(lineOf(failure)).toContain(`${code}(`);
}

beforeAll(() => tf.setBackend("cpu"));

describe("trace", () => {
  it("writes down what a function calls, in order, and leaves out what no output needs", () => {
    const found = program((x) => {
      tf.sin(x);
      return { y: tf.mul(tf.exp(x), tf.tensor1d([1, 2, 3])) };
    });
    expect(found.calls.map(({ kernel }) => kernel)).toEqual(["Exp", "Multiply"]);
    expect(found.constants.map(({ data }) => data)).toEqual([Float32Array.of(1, 2, 3)]);
    expect(found.outputs).toEqual([{ name: "y", value: found.calls[1]!.outputs[0] }]);
  });

  it("records gradients, custom ones, and those by variables, through nested tidies", () => {
    const scale = tf.variable(tf.tensor1d([1, 2, 3]));
    const cube = tf.customGrad((x) => ({ value: tf.pow(x as tf.Tensor, 3), gradFunc: (dy) => tf.mul(dy, 7) }));
    const found = program((x) =>
      tf.tidy(() => {
        const { grads } = tf.variableGrads(() => tf.sum(tf.mul(x, scale)) as tf.Scalar, [scale]);
        return { x: tf.grad((x) => tf.tidy(() => cube(x)))(x), scale: grads[scale.name]! };
      }),
    );
    expect(found.outputs.map(({ name }) => name)).toEqual(["x", "scale"]);
    scale.dispose();
  });

  it("says how the outputs are put together", () => {
    const fn: Fn = ({ x }) => ({ list: [x!, tf.neg(x!)], one: tf.abs(x!) });
    const { structure, program } = trace({ fn, inputs: { x }, weights: {} });
    expect(structure).toEqual({ list: [0, 1], one: 2 });
    expect(program.outputs.map(({ name }) => name)).toEqual(["list.0", "list.1", "one"]);
  });

  it("takes tensors made before as constants, in the shape and type in which they are used", () => {
    const whole = tf.tensor1d([1, 2, 3], "int32");
    const float = tf.cast(whole, "float32"); // shares its data
    const found = program((x) => tf.add(x, tf.add(float, tf.cast(whole, "float32"))));
    expect(found.values.at(-1)).toEqual({ shape: [2, 3], dtype: "float32" });
    expect(Array.from(whole.dataSync())).toEqual([1, 2, 3]);
    tf.dispose([whole, float]);
  });

  it("leaves no tensors behind, and the back end as it was", () => {
    const before = tf.memory().numTensors;
    program((x) => tf.grad((x) => gelu(x))(x));
    expect(tf.memory().numTensors).toBe(before);
    expect(tf.getBackend()).toBe("cpu");
  });

  it("calls a function at each trace, so that constants may differ", () => {
    let n = 0;
    const fn = vi.fn((x: tf.Tensor) => tf.add(x, n++));
    const [first, second] = [program(fn), program(fn)];
    expect(fn).toHaveBeenCalledTimes(2);
    expect(first.constants[0]?.data).not.toEqual(second.constants[0]?.data);
  });
});

describe("trace refuses, by name and line of code,", () => {
  it("a kernel that cannot be compiled", () => {
    expectRefusal(
      (x) => tf.conv2d(tf.reshape(x, [1, 2, 3, 1]) as tf.Tensor4D, tf.ones([1, 1, 1, 1]), 1, "same"),
      /kernel Conv2D is not among/,
      "tf.conv2d",
    );
    expectRefusal(
      (x) => tf.image.resizeBilinear(tf.reshape(x, [1, 2, 3, 1]) as tf.Tensor4D, [4, 4]),
      /kernel ResizeBilinear/,
      "tf.image.resizeBilinear",
    );
  });

  it("a kernel that TensorFlow.js does not know either", () => {
    tf.registerKernel({
      kernelName: "Mine",
      backendName: "cpu",
      kernelFunc: ({ inputs }) => inputs.x as tf.TensorInfo,
    });
    expectRefusal((x) => tf.engine().runKernel("Mine", { x }), /kernel Mine is not among/, "runKernel");
    tf.unregisterKernel("Mine", "cpu");
  });

  it("a kernel in a type or shape that it is not compiled for", () => {
    expectRefusal(
      (x) => tf.asinh(tf.cast(x, "int32")),
      /kernel Asinh is compiled for float32 and got int32; use tf.cast/,
      "tf.asinh",
    );
    expectRefusal(
      (x) => tf.add(tf.cast(x, "bool"), tf.cast(x, "bool")),
      /kernel Add is compiled for float32 and int32 and got bool/,
      "tf.add",
    );
  });

  it.each([
    ["tf.randomUniform", (x: tf.Tensor) => tf.randomUniform(x.shape)],
    ["tf.randomUniform", (x: tf.Tensor) => tf.randomUniform(x.shape, 0, 1, "float32", 42)],
    ["tf.randomUniform", () => tf.randomUniform([1], 0, 1, "float32", 42)],
    ["tf.randomNormal", (x: tf.Tensor) => tf.randomNormal(x.shape as [number], 0, 1, "float32", 42)],
    ["tf.truncatedNormal", (x: tf.Tensor) => tf.truncatedNormal(x.shape as [number], 0, 1, "float32", 42)],
    ["tf.randomGamma", (x: tf.Tensor) => tf.randomGamma(x.shape as [number], 1, 1, "float32", 42)],
    ["tf.dropout", (x: tf.Tensor) => tf.dropout(x, 0.5)],
    ["tf.dropout", (x: tf.Tensor) => tf.dropout(x, 0.5, x.shape, 42)],
    ["tf.rand", () => tf.rand([3], () => 0.3 + Math.random())],
    ["the function", (x: tf.Tensor) => tf.mul(x, Math.random())],
    ["Multinomial", (x: tf.Tensor) => tf.multinomial(x as tf.Tensor2D, 2, 42)],
  ] as const)("random numbers from %s: %s", (name, fn) => {
    const failure = failureOf(fn);
    expect(failure).toBeInstanceOf(ClaraError);
    expect(failure.message).toMatch(new RegExp(`${name} draws random numbers \\(at .*trace\\.test\\.ts:\\d+:\\d+\\)`));
  });

  it("a read of values", () => {
    expectRefusal((x) => tf.mul(x, x.dataSync()[0]!), /reads the values of a tensor/, "x.dataSync");
    expectRefusal(
      (x) => tf.mul(x, (tf.sum(x).arraySync() as number) > 0 ? 1 : 2),
      /reads the values of a tensor/,
      "arraySync",
    );
    expectRefusal(
      (x) => {
        tf.neg(x).print();
        return x;
      },
      /reads the values of a tensor/,
      "print",
    );
  });

  it("a read of values that nobody waits for, and leaves no rejected promise", async () => {
    expectRefusal(
      (x) => {
        void x.data().then(() => {});
        return x;
      },
      /reads the values of a tensor/,
      "x.data",
    );
    expectRefusal(
      async (x) => {
        return tf.mul(x, (await x.data())[0]!);
      },
      /reads the values of a tensor/,
      "x.data",
    );
    expectRefusal((x) => tf.whereAsync(tf.greater(x, 0)), /reads the values of a tensor/, "tf.whereAsync");
    await new Promise((resolve) => setImmediate(resolve));
  });

  it("an async function, and leaves no rejected promise", async () => {
    const failure = failureOf(async (x) => {
      await Promise.resolve();
      return tf.neg(x);
    });
    expect(failure.message).toMatch(/must not be async/);
    await new Promise((resolve) => setImmediate(resolve));
  });

  it("tensors that have been disposed", () => {
    const gone = tf.tensor1d([1, 2, 3]);
    gone.dispose();
    expectRefusal((x) => tf.add(x, gone), /used after it was disposed/, "tf.add");
    expectRefusal(
      (x) => {
        const y = tf.neg(x);
        y.dispose();
        return tf.add(x, y);
      },
      /used after it was disposed/,
      "return tf.add",
    );
  });

  it("complex numbers and strings", () => {
    expectRefusal((x) => tf.complex(x, x), /kernel Complex/, "tf.complex");
    expectRefusal(() => tf.tensor1d(["a", "b"]), /type string/, "tf.tensor1d");
    const text = tf.tensor1d(["a", "b"]);
    expectRefusal(() => tf.reshape(text, [2, 1]), /type string/, "tf.reshape");
    text.dispose();
    const complex = tf.complex(tf.tensor1d([1]), tf.tensor1d([2]));
    expectRefusal(() => tf.reshape(complex, [1, 1]), /type complex64/, "tf.reshape");
    complex.dispose();
  });

  it("variables that are made or assigned, which it leaves as they were", () => {
    const state = tf.variable(tf.tensor1d([1, 2, 3]), true, "state");
    const optimizer = tf.train.sgd(0.1);
    expectRefusal(
      (x) => {
        state.assign(tf.sum(x, 0));
        return x;
      },
      /assigns to the variable state/,
      "state.assign",
    );
    expectRefusal(
      (x) => {
        optimizer.minimize(() => tf.sum(tf.mul(x, state)) as tf.Scalar, false, [state]);
        return x;
      },
      /assigns to the variable state/,
      "minimize",
    );
    expectRefusal((x) => tf.add(x, tf.variable(tf.tensor1d([1, 2, 3]))), /makes a variable/, "tf.variable");
    expect(Array.from(state.dataSync())).toEqual([1, 2, 3]);
    state.assign(tf.tensor1d([4, 5, 6]));
    expect(Array.from(state.dataSync())).toEqual([4, 5, 6]);
    state.dispose();
  });

  it("results that are not tensors", () => {
    for (const result of [3, undefined, null, "text", new Map(), () => {}]) {
      expect(failureOf(() => result).message).toMatch(/the function's result must be a tensor or a list or record/);
    }
    expect(failureOf((x) => ({ a: [x, 5] })).message).toMatch(/"a.1" of the function's result/);
  });

  it("to trace inside a trace", () => {
    const failure = failureOf((x) => {
      program((y) => y);
      return x;
    });
    expect(failure.message).toMatch(/cannot compile another/);
  });
});

describe("trace finds, as TensorFlow.js does,", () => {
  it.each([
    ["Add cannot broadcast the shapes \\[2,3\\] and \\[2\\]", (x: tf.Tensor) => tf.add(x, tf.range(0, 2))],
    ["BatchMatMul cannot multiply \\[2,3\\] by \\[2,3\\]: 3 is not 2", (x: tf.Tensor) => tf.matMul(x, x)],
    ["Reshape cannot put \\[2,3\\] into the shape \\[4\\]", (x: tf.Tensor) => tf.reshape(x, [4])],
    ["Slice cannot take 3 from 1 on of the 3 along axis 1", (x: tf.Tensor) => tf.slice(x, [0, 1], [2, 3])],
    ["Sum has no axis 2 in a tensor of rank 2", (x: tf.Tensor) => tf.sum(x, 2)],
    ["Max has no axis -3 in a tensor of rank 2", (x: tf.Tensor) => tf.max(x, -3)],
    ["ArgMax has no axis 5", (x: tf.Tensor) => tf.argMax(x, 5)],
    ["Concat cannot join the shapes \\[2,3\\] and \\[3,2\\]", (x: tf.Tensor) => tf.concat([x, tf.transpose(x)], 0)],
    ["SplitV cannot split a size of 3 into 2 equal parts", (x: tf.Tensor) => tf.split(x, 2, 1)],
    ["SplitV cannot split a size of 3 into \\[1,1\\]", (x: tf.Tensor) => tf.split(x, [1, 1], 1)],
    ["Einsum has two sizes of j: 3 and 2", (x: tf.Tensor) => tf.einsum("ij,jk->ik", x, x)],
    ["GatherV2 has no axis 3", (x: tf.Tensor) => tf.gather(x, [0], 3)],
    ["GatherV2 cannot take 1 batch axes", (x: tf.Tensor) => tf.gather(x, [[0], [0], [0]], 1, 1)],
  ] as const)("that %s", (message, fn) => {
    expect(() => tf.tidy(() => fn(tf.ones([2, 3])) as tf.Tensor), "eager").toThrow();
    const failure = failureOf(fn);
    expect(failure).toBeInstanceOf(ClaraError);
    expect((failure as ClaraError).code).toBe("shape");
    expect(failure.message).toMatch(new RegExp(`^compile: the TensorFlow.js kernel ${message}.*trace\\.test\\.ts:`));
  });
});

describe("dropout of @clara/tensor", () => {
  it("is traced with its step as an input, not frozen", () => {
    const step = { shape: [], dtype: "int32" } as const;
    const fn: Fn = ({ x, step }) => dropout(x!, { rate: 0.5, seed: 1, step: step as tf.Scalar });
    const { program } = trace({ fn, inputs: { x, step }, weights: {} });
    expect(program.calls.map(({ kernel }) => kernel)).toContain("ClaraDropoutMask");
    expect(program.constants).toEqual([]);
  });
});
