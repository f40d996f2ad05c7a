import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { tf } from "./index.ts";

describe("tf", () => {
  it("computes on the CPU backend without any set-up", () => {
    expect(tf.tidy(() => tf.add(tf.tensor1d([1, 2]), 1).dataSync())).toEqual(Float32Array.of(2, 3));
    expect(tf.getBackend()).toBe("cpu");
  });

  it("has gradients, which the core alone lacks under Node.js", () => {
    const gradient = tf.grad((x: tf.Tensor) => tf.sum(tf.square(x)));
    expect(gradient(tf.tensor1d([1, 2])).dataSync()).toEqual(Float32Array.of(2, 4));
  });

  it("prints nothing, neither when imported nor at the first tensor", () => {
    const file = fileURLToPath(new URL("./index.ts", import.meta.url));
    const script = `const { tf } = await import(${JSON.stringify(file)}); tf.scalar(1).dataSync();`;
    const child = spawnSync(process.execPath, ["--input-type=module", "--eval", script], { encoding: "utf8" });
    expect({ status: child.status, stdout: child.stdout, stderr: child.stderr }).toEqual({
      status: 0,
      stdout: "",
      stderr: "",
    });
  });
});
