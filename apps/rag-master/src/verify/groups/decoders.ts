import { ClaraError, type Weights } from "@clara/core";
import {
  type DecoderConfig,
  type DecoderParams,
  decode,
  decoderArrays,
  decoderLogits,
  nestDecoder,
  openSafetensors,
  parseDecoderConfig,
  sourceOf,
  toFloat32,
} from "@clara/model";
import { crossEntropy, tf } from "@clara/tensor";
import { explained } from "../../import/stored-decoder.ts";
import type { Checks, Part } from "../check.ts";
import { relativeDifference } from "../compare.ts";
import { type Computed, compute, lossAndGradients, tensorOf, tensorsOf } from "../compute.ts";
import { continueGreedily } from "../continue-greedily.ts";
import type { Folder } from "../folder.ts";
import type { Group } from "../group.ts";
import { DECODER_LOGITS, GRADIENT, LOSS, STATES } from "../tolerances.ts";

const expectedFile = "expected.safetensors";

/** A model folder of Hugging Face's with recorded values beside it. */
export function isDecoder(folder: Folder, path = "."): boolean {
  return folder.has(`${path}/${expectedFile}`);
}

/** The folder itself, or those in it. */
export function decoderFolders(folder: Folder): string[] {
  if (isDecoder(folder)) return ["."];
  return folder.names(".").filter((name) => isDecoder(folder, name));
}

/** Decoders of other families, without adapters. */
export const decoders: Group = {
  name: "decoders",
  async run({ folder }, checks) {
    for (const path of decoderFolders(folder)) {
      const name = path === "." ? "decoder" : path;
      await checks.attempt(name, () => compareDecoder(name, path, folder, checks));
    }
  },
};

interface Model {
  readonly config: DecoderConfig;
  readonly arrays: Weights;
  readonly expected: Readonly<Record<string, Computed>>;
}

async function compareDecoder(name: string, path: string, folder: Folder, checks: Checks): Promise<void> {
  const config = parseDecoderConfig(folder.json(`${path}/config.json`));
  const weights = folder.decoder(path);
  const arrays = decoderArrays(weights, config);
  const expected = readExpected(folder.bytes(`${path}/${expectedFile}`));
  const model = { config, arrays, expected };
  const needs = (keys: readonly string[]): boolean => {
    const missing = keys.filter((key) => !(key in expected));
    for (const key of missing) checks.skip(`${name}/${key}`, "is not recorded");
    return missing.length === 0;
  };
  if (!needs(["input_ids", "attention_mask"])) return;
  if (needs(["logits", "last_hidden_state"])) {
    await checks.attempt(`${name}/logits`, () => compareStates(name, model, checks));
  }
  if (needs(["inputs_embeds", "logits_from_embeds"])) {
    await checks.attempt(`${name}/logits_from_embeds`, () => compareEmbeds(name, model, checks));
  }
  if (needs(["greedy_ids"])) await checks.attempt(`${name}/greedy_ids`, () => compareGreedy(name, model, checks));
  if (needs(["loss"])) await checks.attempt(`${name}/loss`, () => compareLoss(name, model, weights, checks));
}

const rows = (x: tf.Tensor): tf.Tensor2D => tf.reshape(x, [-1, x.shape.at(-1)!]);

/** Padded places are 0 in the file, and mean nothing. */
async function compareStates(name: string, { config, arrays, expected }: Model, checks: Checks): Promise<void> {
  const found = await compute(() => {
    const params = nestDecoder(tensorsOf(arrays));
    const [ids, mask] = [expected.input_ids!, expected.attention_mask!].map(tensorOfIds);
    const states = rows(decode(params, { ids: ids!, mask: mask! }, config));
    const kept = (x: tf.Tensor): tf.Tensor => tf.mul(x, tf.reshape(tf.cast(mask!, "float32"), [-1, 1]));
    return { states: kept(states), logits: kept(decoderLogits(params, states)) };
  });
  checks.close(`${name}/last_hidden_state`, found.states, flat(expected.last_hidden_state!), STATES);
  checks.close(`${name}/logits`, found.logits, flat(expected.logits!), DECODER_LOGITS);
}

/** Vectors in place of tokens: the path that memories take. */
async function compareEmbeds(name: string, { config, arrays, expected }: Model, checks: Checks): Promise<void> {
  const { logits } = await compute(() => {
    const params = nestDecoder(tensorsOf(arrays));
    const embeds = tensorOf(expected.inputs_embeds!) as tf.Tensor3D;
    const mask: tf.Tensor2D = tf.ones([embeds.shape[0], embeds.shape[1]], "int32");
    return { logits: decoderLogits(params, rows(decode(params, { embeds, mask }, config))) };
  });
  checks.close(`${name}/logits_from_embeds`, logits, flat(expected.logits_from_embeds!), DECODER_LOGITS);
}

/** Once token by token, with a cache of keys and values; once all at a time, without. */
async function compareGreedy(name: string, { config, arrays, expected }: Model, checks: Checks): Promise<void> {
  const prompt = firstRow(expected);
  const greedy = Array.from(expected.greedy_ids!.data);
  const { best } = await compute(() => {
    const params = nestDecoder(tensorsOf(arrays));
    const ids = tf.tensor2d([[...prompt, ...greedy.slice(0, -1)]], undefined, "int32");
    const states = rows(decode(params, { ids, mask: tf.onesLike(ids) }, config));
    const read = tf.slice(states, [prompt.length - 1, 0], [greedy.length, -1]) as tf.Tensor2D;
    return { best: tf.argMax(decoderLogits(params, read), 1) };
  });
  checks.same(`${name}/greedy_ids`, Array.from(best.data), greedy);
  checks.same(`${name}/greedy_ids by cache`, await continueGreedily(arrays, config, prompt, greedy.length), greedy);
}

/** Mean cross-entropy of the first row's next tokens, and those of its gradients that are recorded. */
async function compareLoss(
  name: string,
  { config, arrays, expected }: Model,
  weights: Weights,
  checks: Checks,
): Promise<void> {
  const ids = firstRow(expected);
  const T = ids.length;
  const recorded = Object.entries(expected).flatMap(([key, array]) =>
    key.startsWith("grad.") ? [[key.slice("grad.".length), array] as const] : [],
  );
  const unknown = recorded.find(([key]) => !(key in weights));
  if (unknown)
    throw new ClaraError("weights", `${expectedFile}: there is no tensor "${unknown[0]}" to have a gradient`);
  // Gradients take the way of the weights: to our paths, turned. What is 0 everywhere is not recorded.
  const zeros = Object.entries(weights).map(([key, { data, shape }]) => [
    key,
    { data: new Float32Array(data.length), shape },
  ]);
  const turned = decoderArrays({ ...Object.fromEntries(zeros), ...(Object.fromEntries(recorded) as Weights) }, config);
  const wanted = Object.entries(turned).filter(([, { data }]) => data.some((value) => value !== 0));
  const lossOf = (params: DecoderParams): tf.Scalar => {
    const row = tf.tensor2d([ids], undefined, "int32");
    const states = rows(decode(params, { ids: row, mask: tf.onesLike(row) }, config));
    const next = tf.tensor1d(ids.slice(1), "int32");
    return crossEntropy(decoderLogits(params, tf.slice(states, [0, 0], [T - 1, -1]) as tf.Tensor2D), next);
  };
  const { loss, ...found } = await compute((): Record<string, tf.Tensor> => {
    const tensors = tensorsOf(arrays);
    if (wanted.length === 0) return { loss: lossOf(nestDecoder(tensors)) };
    const asked = Object.fromEntries(wanted.map(([path]) => [path, tensors[path]!]));
    const { loss, grads } = lossAndGradients(asked, (moved) => lossOf(nestDecoder({ ...tensors, ...moved })));
    return { ...grads, loss };
  });
  checks.close(`${name}/loss`, { data: loss!.data }, { data: expected.loss!.data }, LOSS);
  if (recorded.length === 0) return checks.skip(`${name}/gradients`, "are not recorded");
  const parts = wanted.map(([path, array]): Part => ({ what: path, error: relativeDifference(found[path]!, array) }));
  checks.worst(`${name}/gradients`, parts, GRADIENT);
}

function flat({ data, shape }: Computed): Computed {
  return { data, shape: [data.length / shape.at(-1)!, shape.at(-1)!] };
}

function tensorOfIds({ data, shape }: Computed): tf.Tensor2D {
  return tf.tensor2d(Int32Array.from(data), shape as [number, number], "int32");
}

/** Ids of the first row, without padding. */
function firstRow({ input_ids, attention_mask }: Model["expected"]): number[] {
  const T = input_ids!.shape[1]!;
  return Array.from(input_ids!.data.slice(0, T)).filter((_, t) => attention_mask!.data[t] === 1);
}

/** float32 tensors, and ids as int32. */
function readExpected(bytes: Uint8Array): Record<string, Computed> {
  const { tensors } = explained(expectedFile, () => openSafetensors(sourceOf(bytes)));
  return Object.fromEntries(
    Object.entries(tensors).map(([name, { dtype, shape, read }]): [string, Computed] => {
      const bytes = read();
      if (dtype !== "I64" && dtype !== "I32") return [name, { shape, data: toFloat32({ dtype, shape, bytes }) }];
      const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
      const data = Int32Array.from({ length: bytes.length / (dtype === "I64" ? 8 : 4) }, (_, i) =>
        dtype === "I64" ? Number(view.getBigInt64(8 * i, true)) : view.getInt32(4 * i, true),
      );
      return [name, { shape, data }];
    }),
  );
}
