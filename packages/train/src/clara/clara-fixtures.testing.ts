import type { Weights } from "@clara/core";
import type { HostTensors } from "@clara/engine";
import { chatTemplate, claraTokenizer } from "@clara/model";
import { readBytes, readCheckpoint as readFolder, readJson } from "@clara/model/testing";
import { labelledRows } from "../losses/language-model-loss.ts";
import type { Stage } from "../recipe.ts";
import { encodeRecord } from "../records/encode-record.ts";
import { linesOf, readRecords } from "../records/read-records.ts";
import type { ClaraExample } from "./clara-batches.ts";
import { adapterNames, type ClaraShape, type Role } from "./clara-params.ts";

/** A checkpoint of the reference: the decoder with its added tokens, and adapters by role, all by our paths. */
export function readCheckpoint(path: string): {
  shape: ClaraShape;
  base: Weights;
  adapters: Partial<Record<Role, Weights>>;
} {
  const { decoder, tokenizer, base, adapters } = readFolder(path);
  const { memoryTokens, firstMemoryId } = tokenizer;
  const roles = Object.entries(adapterNames).filter(([, name]) => name in adapters);
  return {
    shape: { decoder, memoryTokens, firstMemoryId, loraScale: 2 },
    base,
    adapters: Object.fromEntries(roles.map(([role, name]) => [role, adapters[name]!])),
  };
}

/** The records of a stage's file as examples. */
export async function readExamples(file: string, stage: Stage, documents: number): Promise<ClaraExample[]> {
  const config = readJson<{ chat_template: string }>("base/tokenizer_config.json");
  const tokenizer = claraTokenizer({ tokenizer: readJson("base/tokenizer.json"), config, memoryTokens: 6 });
  const render = chatTemplate(config.chat_template, tokenizer);
  const { records } = await readRecords(linesOf(readBytes(file)), { stage, documents, source: file });
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
