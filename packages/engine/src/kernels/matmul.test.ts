import { tf } from "@clara/tensor";
import { type Case, testKernels } from "./cases.testing.ts";
import { type Argument, floats, ints } from "./check.testing.ts";
import { matmul } from "./matmul.ts";

type Shape = Argument["shape"];

const sides = [
  [false, false],
  [true, false],
  [false, true],
  [true, true],
] as const;

const turned = (shape: Shape, yes: boolean): Shape =>
  yes ? [...shape.slice(0, -2), shape.at(-1)!, shape.at(-2)!] : shape;

/** TensorFlow.js has no gradient where the batches broadcast, and wrong values where both do. */
const products: readonly (readonly [Shape, Shape, boolean])[] = [
  [[2, 3], [3, 4], true],
  [[1, 3], [3, 1], true],
  [[2, 3, 4], [2, 4, 5], true],
  [[1, 3, 4], [1, 4, 2], true],
  [[2, 3, 2, 4], [2, 3, 4, 2], true],
  [[2, 1, 2, 2, 3], [2, 1, 2, 3, 2], false],
  [[2, 3, 4], [4, 5], false],
  [[1, 3, 4], [2, 4, 5], false],
  [["B", 3], [3, 4], true],
  [["B", 3], [3, "T"], true],
  [["B", "T", 3], ["B", 3, "T"], true],
  [["B", 2, "T", 3], ["B", 2, 3, "T"], true],
  [["B", "T", 3], [3, 2], false],
];

const fusedMatMul = tf.fused.matMul;
type Activation = NonNullable<Parameters<typeof fusedMatMul>[0]["activation"]>;

testKernels(matmul, {
  BatchMatMul: [
    ...products.flatMap(([a, b, gradient]) =>
      sides.flatMap(([left, right]): Case[] => {
        const shapes = [turned(a, left), turned(b, right)] as const;
        const title = `${left ? "aᵀ" : "a"}·${right ? "bᵀ" : "b"}`;
        const fn: Case["fn"] = (a, b) => tf.matMul(a, b, left, right);
        return [
          { fn, args: [floats(shapes[0]), floats(shapes[1])], title, ...(!gradient && { gradient: false }) },
          { fn, args: [ints(shapes[0]), ints(shapes[1])], title },
        ];
      }),
    ),
    { fn: (a, b) => tf.dot(a, b), args: [floats([3]), floats([3])], title: "of vectors" },
    { fn: (a, b) => tf.dot(a, b), args: [floats([2, 3]), floats([3])], title: "with a vector" },
  ],
  _FusedMatMul: [
    ...(["linear", "relu", "relu6", "elu", "sigmoid"] as Activation[]).map(
      (activation): Case => ({
        fn: (a, b, bias) => fusedMatMul({ a, b, bias, activation }),
        args: [floats(["B", 3]), floats([3, 4]), floats([4])],
        // Others are not fused where gradients are computed.
        title: activation,
      }),
    ),
    {
      fn: (a, b, bias, alpha) => fusedMatMul({ a, b, bias, activation: "prelu", preluActivationWeights: alpha }),
      args: [floats([2, 3]), floats([3, 4]), floats([4]), floats([4])],
      title: "prelu",
    },
    {
      fn: (a, b) => fusedMatMul({ a, b, activation: "leakyrelu", leakyreluAlpha: 0.3 }),
      args: [floats([2, 3]), floats([3, 4])],
      title: "leakyrelu",
    },
    ...sides.map(
      ([transposeA, transposeB]): Case => ({
        fn: (a, b) => fusedMatMul({ a, b, transposeA, transposeB }),
        args: [floats(turned([2, 3, 4], transposeA)), floats(turned([2, 4, 5], transposeB))],
      }),
    ),
  ],
  Einsum: (
    [
      ["ij,jk->ik", [2, 3], [3, 4]],
      ["ij,jk->ki", ["B", 3], [3, 4]],
      ["bij,bjk->bik", ["B", 2, "T"], ["B", "T", 3]],
      ["bhtd,bhsd->bhts", [2, 2, 3, 4], [2, 2, 5, 4]],
      ["bthd,hde->bte", [2, 3, 2, 4], [2, 4, 5]],
      ["i,j->ij", [3], [4]],
      ["ij->ji", [2, 3]],
      ["ijk->ik", [2, 3, 4]],
      ["ij->", [2, 3]],
      ["i , i -> ", [3], [3]],
    ] as [string, ...Shape[]][]
  ).flatMap(([equation, ...shapes]) => [
    // TensorFlow.js has no gradient of it.
    {
      fn: (...x: tf.Tensor[]) => tf.einsum(equation, ...x),
      args: shapes.map((shape) => floats(shape)),
      gradient: false,
      title: equation,
    },
    { fn: (...x: tf.Tensor[]) => tf.einsum(equation, ...x), args: shapes.map((shape) => ints(shape)), title: equation },
  ]) as Case[],
});
