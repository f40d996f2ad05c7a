import { product } from "../size.ts";
import { elementwise } from "./elementwise.ts";
import { type Attrs, broadcast, type Emitter, type Kernel, type Operand, refuse, takes } from "./kernel.ts";

/** `a·b` over the last two axes, either of them transposed, the axes before them broadcast. */
const batchMatMul: Kernel = {
  infer({ a, b }, { transposeA, transposeB }) {
    takes(a!, "float32", "int32");
    if (a!.dtype !== b!.dtype) refuse(`needs two tensors of one type, got ${a!.dtype} and ${b!.dtype}`);
    const [rows, inner] = plane(a!.shape, transposeA);
    const [same, columns] = plane(b!.shape, transposeB);
    if (inner !== same) {
      const turned = `${transposeA ? ", a transposed" : ""}${transposeB ? ", b transposed" : ""}`;
      refuse(`cannot multiply [${a!.shape}] by [${b!.shape}]${turned}: ${inner} is not ${same}`, "shape");
    }
    return [{ shape: [...broadcast(a!.shape.slice(0, -2), b!.shape.slice(0, -2)), rows, columns], dtype: a!.dtype }];
  },
  lower(emit, { a, b }, { transposeA, transposeB }, [output]) {
    const flags = { transA: transposeA ? 1 : 0, transB: transposeB ? 1 : 0 };
    const single = product(output!.shape.slice(0, -2)) === 1;
    if (output!.dtype !== "float32") {
      // Only MatMul itself takes whole numbers.
      const sides = [transposeA ? turned(emit, a!) : emit.full(a!), transposeB ? turned(emit, b!) : emit.full(b!)];
      return [{ ...output!, name: emit.node("MatMul", sides) }];
    }
    if (single && (transposeA || transposeB || output!.shape.length > 2)) {
      // One matrix by another is a plain Gemm, which takes either of them transposed.
      const name = emit.node("Gemm", [matrix(emit, a!), matrix(emit, b!)], flags);
      if (output!.shape.length === 2) return [{ ...output!, name }];
      return [{ ...output!, name: emit.node("Reshape", [name, emit.ints(output!.shape)]) }];
    }
    const op = transposeA || transposeB ? "com.microsoft.FusedMatMul" : "MatMul";
    const attributes = op === "MatMul" ? {} : flags;
    return [{ ...output!, name: emit.node(op, [emit.full(a!), emit.full(b!)], attributes) }];
  },
};

/** The last two sizes, as they are multiplied. */
function plane(shape: readonly number[], transposed: boolean): [number, number] {
  const [rows, columns] = shape.slice(-2) as [number, number];
  return transposed ? [columns, rows] : [rows, columns];
}

function matrix(emit: Emitter, x: Operand): string {
  return x.shape.length === 2 ? emit.full(x) : emit.node("Reshape", [emit.full(x), emit.ints(x.shape.slice(-2))]);
}

function turned(emit: Emitter, x: Operand): string {
  const rank = x.shape.length;
  const perm = [...Array(rank - 2).keys(), rank - 1, rank - 2];
  return emit.node("Transpose", [emit.full(x)], { perm });
}

/** Kernels of the activations that a fused product may end in. */
const activations: Readonly<Record<string, string>> = {
  relu: "Relu",
  relu6: "Relu6",
  elu: "Elu",
  sigmoid: "Sigmoid",
  leakyrelu: "LeakyRelu",
  prelu: "Prelu",
};

/** The letters of each input and of the result. */
function termsOf({ equation }: Attrs): [string[], string] {
  const [inputs, result] = (equation as string).replace(/\s/g, "").split("->") as [string, string];
  return [inputs.split(","), result];
}

/** Kernels that multiply matrices. */
export const matmul: Readonly<Record<string, Kernel>> = {
  BatchMatMul: batchMatMul,
  _FusedMatMul: {
    infer({ a, b, bias }, attrs) {
      const [found] = batchMatMul.infer({ a: a!, b: b! }, attrs);
      takes(found!, "float32");
      const { activation } = attrs;
      if (activation && activation !== "linear" && !activations[activation]) refuse(`has no activation ${activation}`);
      if (bias && `${broadcast(found!.shape, bias.shape)}` !== `${found!.shape}`) {
        refuse(`needs a bias that broadcasts to [${found!.shape}], got [${bias.shape}]`, "shape");
      }
      return [found!];
    },
    lower(emit, { a, b, bias, preluActivationWeights: alpha }, attrs, outputs) {
      let [y] = batchMatMul.lower(emit, { a: a!, b: b! }, attrs, outputs);
      if (bias) [y] = elementwise.Add!.lower(emit, { a: y!, b: bias }, {}, outputs);
      const activation = elementwise[activations[attrs.activation] ?? ""];
      if (!activation) return [y!];
      return activation.lower(emit, { x: y!, ...(alpha && { alpha }) }, { alpha: attrs.leakyreluAlpha }, outputs);
    },
  },
  Einsum: {
    infer(inputs, attrs) {
      const [terms, result] = termsOf(attrs);
      const sizes = new Map<string, number>();
      Object.values(inputs).forEach((input, i) => {
        takes(input, "float32", "int32");
        if (input.shape.length !== terms[i]?.length) {
          refuse(`has ${terms[i]?.length ?? 0} letters for a tensor of the shape [${input.shape}]`, "shape");
        }
        input.shape.forEach((size, axis) => {
          const letter = terms[i]![axis]!;
          if ((sizes.get(letter) ?? size) !== size)
            refuse(`has two sizes of ${letter}: ${sizes.get(letter)} and ${size}`, "shape");
          sizes.set(letter, size);
        });
      });
      return [{ shape: [...result].map((letter) => sizes.get(letter)!), dtype: inputs["0"]!.dtype }];
    },
    lower(emit, inputs, attrs, [output]) {
      const [terms, result] = termsOf(attrs);
      const equation = `${terms}->${result}`;
      return [{ ...output!, name: emit.node("Einsum", Object.values(inputs).map(emit.full), { equation }) }];
    },
  },
};
