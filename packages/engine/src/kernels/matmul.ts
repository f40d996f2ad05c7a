import { product } from "../size.ts";
import { broadcast, type Emitter, type Kernel, type Operand } from "./kernel.ts";

/** `a·b` over the last two axes, either of them transposed, the axes before them broadcast. */
const batchMatMul: Kernel = {
  infer({ a, b }, { transposeA, transposeB }) {
    const rows = a!.shape.at(transposeA ? -1 : -2)!;
    const columns = b!.shape.at(transposeB ? -2 : -1)!;
    return [
      { shape: [...broadcast(a!.shape.slice(0, -2), b!.shape.slice(0, -2)), rows, columns], dtype: "float32" },
    ];
  },
  lower(emit, { a, b }, { transposeA, transposeB }, [output]) {
    const plane = product(output!.shape.slice(0, -2)) === 1;
    if (!transposeA && !transposeB && !(plane && output!.shape.length > 2)) {
      return [{ ...output!, name: emit.node("MatMul", [emit.full(a!), emit.full(b!)]) }];
    }
    if (plane) {
      // One matrix by another is a plain Gemm, which takes either of them transposed.
      const flags = { transA: transposeA ? 1 : 0, transB: transposeB ? 1 : 0 };
      const name = emit.node("Gemm", [matrix(emit, a!), matrix(emit, b!)], flags);
      return [
        output!.shape.length === 2
          ? { ...output!, name }
          : { ...output!, name: emit.node("Reshape", [name, emit.ints(output!.shape)]) },
      ];
    }
    const flags = { transA: transposeA ? 1 : 0, transB: transposeB ? 1 : 0 };
    return [{ ...output!, name: emit.node("com.microsoft.FusedMatMul", [emit.full(a!), emit.full(b!)], flags) }];
  },
};

function matrix(emit: Emitter, x: Operand): string {
  return x.shape.length === 2 ? emit.full(x) : emit.node("Reshape", [emit.full(x), emit.ints(x.shape.slice(-2))]);
}

/** Kernels that multiply matrices. */
export const matmul: Readonly<Record<string, Kernel>> = {
  BatchMatMul: batchMatMul,
  Einsum: {
    infer(inputs, { equation }) {
      const [terms, result] = (equation as string).replace(/\s/g, "").split("->") as [string, string];
      const sizes = new Map<string, number>();
      Object.values(inputs).forEach(({ shape }, i) => {
        shape.forEach((size, axis) => void sizes.set(terms.split(",")[i]![axis]!, size));
      });
      return [{ shape: [...result].map((letter) => sizes.get(letter)!), dtype: "float32" }];
    },
    lower: (emit, inputs, { equation }, [output]) => [
      { ...output!, name: emit.node("Einsum", Object.values(inputs).map(emit.full), { equation }) },
    ],
  },
};
