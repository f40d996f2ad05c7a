import { tf } from "@clara/tensor";
import { it } from "vitest";
import { compileProgram, floats, session, tensorOf } from "./check.testing.ts";
it("x", async () => {
  const x = floats([1024, 1536]);
  for (const [n, fn] of [["sigmoid", (x: any) => tf.sigmoid(x)], ["exact", (x: any) => tf.div(1, tf.add(1, tf.exp(tf.neg(x))))], ["silu", (x: any) => tf.mul(x, tf.sigmoid(x))], ["siluexact", (x: any) => tf.div(x, tf.add(1, tf.exp(tf.neg(x))))], ["max", (x: any) => tf.max(x, 1)], ["gemm", (x: any) => tf.matMul(x, x, false, true)]] as any) {
    const run = await session(compileProgram(fn, [x])); const t = { x0: tensorOf(x, {}) };
    const times: number[] = [];
    for (let i = 0; i < 15; i++) { const s = performance.now(); await run(t); times.push(performance.now() - s); }
    console.log(n, Math.min(...times).toFixed(2));
  }
}, 60000);
