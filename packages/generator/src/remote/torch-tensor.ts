import { ClaraError } from "@clara/core";
import { writeTorchTensor } from "@clara/model";

/** What the numbers are sent as. The endpoint turns them into what its model computes in. */
export type PromptDtype = "F32" | "F16" | "BF16";

/** Numbers from here on round to infinity. */
const limits: Readonly<Record<PromptDtype, number>> = {
  F32: Number.POSITIVE_INFINITY,
  F16: 65_520,
  BF16: (2 - 2 ** -8) * 2 ** 127,
};

/**
 * The bytes that `torch.save` makes of one tensor: `torch.load` gives the tensor itself, as vLLM wants `prompt_embeds`.
 *
 * @param data [T, D], row-major. F16 and BF16 round to the nearest, ties to even.
 * @throws ClaraError "shape" when T·D is not the count of numbers or is 0, "input" for a number that the dtype cannot hold.
 * @see https://pytorch.org/docs/stable/notes/serialization.html
 */
export function torchTensor(
  data: Float32Array,
  [T, D]: readonly [T: number, D: number],
  dtype: PromptDtype,
): Uint8Array {
  if (T * D !== data.length || data.length === 0 || data.length >= 2 ** 31) {
    throw new ClaraError("shape", `torchTensor: data must be [T, D], got ${data.length} numbers for [${T}, ${D}]`);
  }
  const limit = limits[dtype];
  const bad = data.findIndex((value) => !(Math.abs(value) < limit));
  if (bad >= 0) {
    const where = `number ${bad % D} of row ${Math.floor(bad / D)} is ${data[bad]}`;
    const advice = Number.isFinite(data[bad]) ? '; use dtype "F32"' : "";
    throw new ClaraError("input", `torchTensor: ${where}, which ${dtype} cannot hold${advice}`);
  }
  return writeTorchTensor({ shape: [T, D], data, dtype });
}
