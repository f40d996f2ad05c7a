import { decode, decoderArrays, decoderLogits, nestDecoder } from "@clara/model";
import { rmsNorm, tf } from "@clara/tensor";
import { difference } from "../compare.ts";
import { compute, tensorOf, tensorsOf } from "../compute.ts";
import type { Group } from "../group.ts";
import { LOGITS, STATES } from "../tolerances.ts";

interface Inputs {
  readonly inputs: readonly { readonly text: string; readonly input_ids: readonly number[] }[];
}

/** The base model alone. Inner states are compared behind the last norm, as `decode` gives them after its first layers. */
export const baseForward: Group = {
  name: "base-forward",
  async run({ folder, decoder, tokenizer }, checks) {
    const { inputs } = folder.json<Inputs>("base-forward.json");
    const recorded = folder.weights("base-forward.safetensors");
    const config = decoder();
    const arrays = decoderArrays(folder.decoder("base"), config);
    await checks.attempt("base-forward/input_ids", () => {
      const { encode, tokenId, bos = "" } = tokenizer(1);
      const ids = inputs.map(({ text }) => [tokenId(bos), ...encode(text)]);
      checks.same(
        "base-forward/input_ids",
        ids,
        inputs.map(({ input_ids }) => input_ids),
      );
    });
    for (const [i, { input_ids }] of inputs.entries()) {
      const own = Object.keys(recorded).flatMap((key) => {
        const [, text, depth] = /^hidden(\d+)\/(\d+)$/.exec(key) ?? [];
        return text === String(i) ? [Number(depth)] : [];
      });
      await checks.attempt(`base-forward/${i}`, async () => {
        const found = await compute(() => {
          const params = nestDecoder(tensorsOf(arrays));
          const ids = tf.tensor2d([[...input_ids]], undefined, "int32");
          const results: Record<string, tf.Tensor> = {};
          for (const depth of own) {
            const layers = params.layers.slice(0, depth);
            const states = tf.squeeze(decode({ ...params, layers }, { ids, mask: tf.onesLike(ids) }, config), [0]);
            const wanted = tensorOf(recorded[`hidden${i}/${depth}`]!) as tf.Tensor2D;
            // The last one has been normalised already.
            const last = depth === config.layers;
            results[`expected${depth}`] = last ? wanted : rmsNorm(wanted, params.norm, config.normEps);
            results[`states${depth}`] = states;
            if (last) results.logits = decoderLogits(params, states as tf.Tensor2D);
          }
          return results;
        });
        checks.worst(
          `base-forward/hidden${i}`,
          own.map((depth) => {
            const { error, at } = difference(found[`states${depth}`]!, found[`expected${depth}`]!);
            return { what: `hidden${i}/${depth} ${at}`, error };
          }),
          STATES,
        );
        const logits = recorded[`logits${i}`];
        if (logits && found.logits) checks.close(`base-forward/logits${i}`, found.logits, logits, LOGITS);
        else checks.skip(`base-forward/logits${i}`, "is not recorded");
      });
    }
  },
};
