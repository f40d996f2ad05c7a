import { cachedAttention, type tf } from "@clara/tensor";
import { describe, it } from "vitest";
import { check, floats, ints } from "./check.testing.ts";

const slots = 6;

describe("ClaraCachedAttention", () => {
  const cases = [
    { heads: 1, keyHeads: 1, width: 8 },
    { heads: 4, keyHeads: 2, width: 16 },
    { heads: 6, keyHeads: 1, width: 5 },
    { heads: 2, keyHeads: 2, width: 64 },
  ];
  for (const { heads, keyHeads, width } of cases) {
    for (const window of [undefined, 1, 3]) {
      const what = `${heads} heads of ${width} over ${keyHeads} with ${window ? `a window of ${window}` : "no window"}`;
      it(`has ${what}, for sequences of any length, one or more tokens at once`, async () => {
        await check(
          (q, k, v, keys, values, lengths) =>
            cachedAttention(q, k, v, { keys, values }, { heads, keyHeads, lengths, window }),
          [
            floats(["B", "T", heads * width]),
            floats(["B", "T", keyHeads * width]),
            floats(["B", "T", keyHeads * width]),
            floats(["B", keyHeads, "C", width]),
            floats(["B", keyHeads, "C", width]),
            ints(["B"], [3, 0, slots, 1]),
          ],
          {
            gradient: false,
            calls: ["ClaraCachedAttention"],
            sizes: [1, 2, 3, 4].flatMap((B) => [1, 2, 5].map((T) => ({ B, T, C: slots }))),
          },
        );
      });
    }
  }

  it("computes the same when all sizes are numbers", async () => {
    const args = [floats([2, 1, 16]), floats([2, 1, 8]), floats([2, 1, 8]), floats([2, 1, 4, 8]), floats([2, 1, 4, 8])];
    const fn = (
      q: tf.Tensor3D,
      k: tf.Tensor3D,
      v: tf.Tensor3D,
      keys: tf.Tensor4D,
      values: tf.Tensor4D,
      lengths: tf.Tensor1D,
    ) => cachedAttention(q, k, v, { keys, values }, { heads: 2, keyHeads: 1, lengths });
    await check(fn, [...args, ints([2], [4, 2])], { gradient: false });
  });
});
