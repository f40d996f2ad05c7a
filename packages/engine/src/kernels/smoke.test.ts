import { tf } from "@clara/tensor";
import { it } from "vitest";
import { check, floats, ints, bools } from "./check.testing.ts";
it("x", async () => {
  await check((x, y) => tf.mul(x, y), [floats([2, 3]), floats([3])], { calls: ["Multiply"], forms: true });
  await check((x, y) => tf.matMul(x, y), [floats(["B", 3]), floats([3, 2])], { calls: ["BatchMatMul"], forms: true });
  await check((x) => tf.max(x, 1), [floats(["B", 3, "T"])], { calls: ["Max"], forms: true });
});
