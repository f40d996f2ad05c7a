import type { tf } from "@clara/tensor";
import type { Tf } from "../backends/index.ts";

type Tensor = tf.Tensor;

/**
 * Kernels that no back end of TensorFlow.js has and that its operations cannot express (they work on bits): computed in
 * JavaScript by `@clara/tensor`, whose TensorFlow.js may be another copy than the one that runs the program.
 */
export const scriptedNames: readonly string[] = ["ClaraDropoutMask", "ClaraMatMulNBits", "ClaraDequantizeNBits"];

export async function runScripted(
  own: Tf,
  kernel: string,
  inputs: Readonly<Record<string, Tensor>>,
  attrs: Readonly<Record<string, unknown>>,
): Promise<Tensor> {
  const { composedKernels, tf } = await ours(own);
  const before = tf.getBackend();
  await tf.setBackend("cpu");
  try {
    const { data, shape } = tf.tidy(() => {
      const given = Object.entries(inputs).map(([name, x]) => [name, tf.tensor(x.dataSync(), x.shape, x.dtype)]);
      const result = composedKernels[kernel]!(Object.fromEntries(given), attrs as tf.NamedAttrMap) as Tensor;
      return { data: result.dataSync().slice(), shape: result.shape };
    });
    return own.tensor(data as Float32Array, shape);
  } finally {
    await tf.setBackend(before);
  }
}

/** Where it is the second copy of TensorFlow.js, it would say so on the console for each of its kernels. */
async function ours(own: Tf): Promise<typeof import("@clara/tensor")> {
  const environment = own.env(); // all copies share it
  const before = environment.getBool("PROD");
  environment.set("PROD", true);
  try {
    return await import("@clara/tensor");
  } finally {
    environment.set("PROD", before);
  }
}
