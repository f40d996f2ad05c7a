import { ClaraError } from "@clara/core";
import { diagnose, troubleOf } from "../backends/diagnose.ts";
import type { Program } from "../program.ts";
import type { Runner } from "./runner.ts";

const port = { shape: [1], dtype: "float32" } as const;
/** -x */
const negate: Program = {
  values: [port, port],
  inputs: [{ name: "x", value: 0, from: "call" }],
  constants: [],
  calls: [{ kernel: "Neg", inputs: { x: 0 }, attrs: {}, outputs: [1] }],
  outputs: [{ name: "y", value: 1 }],
};

/**
 * Computes one number: only a session shows whether ONNX Runtime can use a device.
 *
 * @throws ClaraError "engine" with the cause and what helps.
 */
export async function tryOut(runner: Runner, provider: string): Promise<void> {
  try {
    const loaded = await runner.load(negate, new Map(), { prepack: true });
    await loaded.run({ x: { data: Float32Array.of(1), shape: [1] } }, {});
    await loaded.release();
  } catch (error) {
    const { cause, advice } = diagnose(troubleOf(error), "ort");
    throw new ClaraError("engine", [`the provider ${provider} cannot be used: ${cause}`, ...advice].join("\n"), {
      cause: error,
    });
  }
}
