import { existsSync, readFileSync } from "node:fs";
import type { Weights } from "@clara/core";
import type { HostTensors } from "@clara/engine";
import {
  adapterArrays,
  chatTemplate,
  claraTokenizer,
  decoderArrays,
  parseDecoderConfig,
  readTorchFile,
  readWeights,
} from "@clara/model";
import { labelledRows } from "../losses/language-model-loss.ts";
import type { Stage } from "../recipe.ts";
import { encodeRecord } from "../records/encode-record.ts";
import { linesOf, readRecords } from "../records/read-records.ts";
import type { ClaraExample } from "./clara-batches.ts";
import { adapterNames, type ClaraShape, type Role } from "./clara-params.ts";

const folder = new URL("../../../../../shared/fixtures/clara-tiny/", import.meta.url);

/** The reference's recorded values lie beside the repository, and not on every machine. */
export const haveFixtures: boolean = existsSync(folder);

const bytes = (path: string): Buffer => readFileSync(new URL(path, folder));

export function readJson<T>(path: string): T {
  return JSON.parse(bytes(path).toString());
}

/** float32 tensors of a safetensors file. */
export function readFixture(path: string): Weights {
  return readWeights(bytes(path));
}

/** A checkpoint of the reference: the decoder with its added tokens, and adapters by role, all by our paths. */
export function readCheckpoint(path: string): {
  shape: ClaraShape;
  base: Weights;
  adapters: Partial<Record<Role, Weights>>;
} {
  const decoder = parseDecoderConfig(readJson("base/config.json"));
  const { compr_rate, doc_max_length } = readJson<Record<string, number>>(`${path}/config.json`);
  const tables = readTorchFile(bytes(`${path}/decoder_first_last_layers.pth`));
  const stored = readTorchFile(bytes(`${path}/adapters.pth`));
  const adapters = Object.entries(adapterNames).flatMap(([role, name]) => {
    const own = Object.entries(stored).filter(([key]) => key.startsWith(`${name}/`));
    if (own.length === 0) return [];
    const weights = Object.fromEntries(own.map(([key, tensor]) => [key.slice(name.length + 1), tensor]));
    return [[role, adapterArrays(weights, decoder)]];
  });
  return {
    shape: {
      decoder,
      memoryTokens: Math.floor(doc_max_length! / compr_rate!),
      firstMemoryId: decoder.vocabulary,
      loraScale: 2,
    },
    base: decoderArrays({ ...readFixture("base/model.safetensors"), ...tables }, decoder),
    adapters: Object.fromEntries(adapters),
  };
}

/** The records of a stage's file as examples. */
export async function readExamples(file: string, stage: Stage, documents: number): Promise<ClaraExample[]> {
  const config = readJson<{ chat_template: string }>("base/tokenizer_config.json");
  const tokenizer = claraTokenizer({ tokenizer: readJson("base/tokenizer.json"), config, memoryTokens: 6 });
  const render = chatTemplate(config.chat_template, tokenizer);
  const { records } = await readRecords(linesOf(bytes(file)), { stage, documents, source: file });
  const options = { tokenizer, render, stage, documents, documentTokens: 48, promptTokens: 320 };
  return records.map((record) => encodeRecord(record, options).example);
}

interface Rows {
  readonly shape: readonly [number, number];
  readonly input_ids: readonly (readonly number[])[];
  readonly attention_mask: readonly (readonly number[])[];
}

/** A micro-batch as the fixtures have it. */
export interface FixtureBatch {
  readonly enc: Rows;
  readonly dec: Rows;
  readonly query?: Rows;
  readonly labels: readonly (readonly number[])[];
}

/** A fixture's micro-batch as inputs of a stage's loss. */
export function inputsOf({ enc, dec, query, labels }: FixtureBatch): HostTensors {
  const ints = (rows: readonly (readonly number[])[], shape: readonly number[]) => ({
    data: Int32Array.from(rows.flat()),
    shape,
  });
  // Questions are padded to the longest that there may be, to no effect: leave out the columns that are padding throughout.
  const columns = Math.max(0, ...(query?.attention_mask ?? []).map((row) => row.length - row.indexOf(1)));
  const asked = (rows: Rows["input_ids"]) =>
    ints(
      rows.map((row) => row.slice(-columns)),
      [rows.length, columns],
    );
  const [B, T] = dec.shape;
  const documents = [B, enc.shape[0] / B, enc.shape[1]];
  const { rows, targets } = labelledRows(Int32Array.from(labels.flat()), T);
  return {
    documents: ints(enc.input_ids, documents),
    documentMask: ints(enc.attention_mask, documents),
    prompt: ints(dec.input_ids, dec.shape),
    promptMask: ints(dec.attention_mask, dec.shape),
    rows: { data: rows, shape: [rows.length] },
    targets: { data: targets, shape: [targets.length] },
    ...(query && {
      question: asked(query.input_ids),
      questionMask: asked(query.attention_mask),
      candidates: { data: new Int32Array(documents[0]! * documents[1]!).fill(1), shape: documents.slice(0, 2) },
    }),
  };
}
