import { ClaraError } from "@clara/core";
import type { Stage } from "../recipe.ts";
import { type ClaraRecord, placedDocuments, recordName } from "../records/clara-record.ts";
import type { LineReport } from "../records/read-records.ts";
import { writeRecord } from "../records/write-record.ts";

export interface ReferenceDataset {
  /** Of the file. */
  readonly name: string;
  readonly records: number;
  /** Made as they are asked for, each with its line end. */
  lines(): Iterable<string>;
}

export interface ReferenceRecords {
  /** One file each for questions and paraphrases, which the reference cannot load together: one training run each. */
  readonly datasets: readonly ReferenceDataset[];
  /** Records whose texts name a special token, which the reference would read as one: a space is put into it. */
  readonly changed: readonly LineReport[];
}

/** Ours, those of Mistral and Llama, and the `<|im_end|>` kind. JSON leaves all of them as they are: lines can be searched. */
const controls = /<((?:MEM\d*|AE|ENC|SEP|KBTC|\/?s|unk|pad|\|\w+\|)>)/g;

/**
 * The files of a stage for the reference's trainer.
 *
 * @param options.documents that a prompt has places for. @default 1 in stage `compression`, else 5
 * @throws ClaraError "input" with the line of the first record that the trainer would stumble over.
 */
export function referenceRecords(
  stage: Stage,
  records: readonly ClaraRecord[],
  { documents = placedDocuments[stage] }: { readonly documents?: number } = {},
): ReferenceRecords {
  const candidates = stage === "endToEnd" ? (records[0]?.documents.length ?? 0) : documents;
  for (const record of records) {
    const { kind, documents: texts } = record;
    if ((kind === "answer") === (stage === "compression")) {
      fail(record, `is of kind "${kind}", which stage ${stage} cannot use`);
    }
    if (texts.length !== candidates) {
      const of =
        stage === "endToEnd"
          ? `the first record has ${candidates}, and all must have as many`
          : `it needs ${candidates}`;
      fail(record, `has ${texts.length} documents; ${of}`);
    }
    if (texts.length < documents) fail(record, `has ${texts.length} documents for ${documents} places in the prompt`);
  }
  const changed = records.flatMap((record): LineReport[] => {
    const names = [...new Set(writeRecord(record).match(controls))];
    return names.length > 0 ? [{ line: record.line, problem: `names ${names.join(", ")}` }] : [];
  });
  const kinds = [...new Set(records.map(({ kind }) => kind))];
  const datasets = kinds.map((kind): ReferenceDataset => {
    const own = records.filter((record) => record.kind === kind);
    return {
      name: kind === "answer" ? `${stage}.jsonl` : `${stage}-${kind}.jsonl`,
      records: own.length,
      *lines() {
        for (const record of own) yield `${writeRecord(record).replace(controls, "< $1")}\n`;
      },
    };
  });
  return { datasets, changed };
}

function fail(record: ClaraRecord, problem: string): never {
  throw new ClaraError("input", `referenceRecords: ${recordName(record)} ${problem}`);
}
