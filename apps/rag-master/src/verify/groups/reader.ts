import { type ClaraRecord, readRecords, type Stage } from "@clara/train";
import { type Batch, compareRows, stageNamed } from "../batch.ts";
import type { Checks } from "../check.ts";
import type { Group } from "../group.ts";
import type { Session } from "../session.ts";

type Item = readonly [
  docs: readonly string[],
  question: string | readonly string[],
  answer: string | readonly string[],
  data_type: string,
  pos_index: readonly number[],
];

interface Reader {
  readonly batches: Readonly<
    Record<string, { file?: string; records: readonly number[]; items?: readonly Item[]; batch: Batch }>
  >;
  readonly records: readonly OddRecord[];
}

/** A record of a form that files of others have, and what the reference makes of it. */
interface OddRecord {
  readonly record: Readonly<Record<string, unknown>>;
  readonly error?: string;
  readonly docs: readonly string[];
  readonly question: string | readonly string[];
  readonly answer: string | readonly string[];
  readonly data_type: string;
  readonly pos_index: readonly number[];
}

/** Records of every stage as rows, masks and labels, and records of odd forms. */
export const reader: Group = {
  name: "reader",
  async run(session, checks) {
    const { batches, records } = session.folder.json<Reader>("reader.json");
    for (const [name, { file, records: lines, items, batch }] of Object.entries(batches)) {
      await checks.attempt(`reader/${name}`, async () => {
        const stage = stageNamed(batch.stage);
        const own = file ?? `data/${batch.stage}.jsonl`;
        const read = await readFile(own, stage, batch.generation_top_k, session);
        const taken = lines.map((line) => {
          const found = read[line];
          if (!found) throw new Error(`${own} has no record ${line}`);
          return found;
        });
        if (items) checks.same(`reader/${name}/items`, taken.map(itemOf), items.map(plain));
        const texts = taken.map(({ documents }) => documents);
        checks.same(`reader/${name}/texts`, texts, batch.docs);
        await compareRows(checks, `reader/${name}`, { batch, records: taken }, session);
      });
    }
    for (const [i, record] of records.entries()) {
      await checks.attempt(`reader/record ${i}`, () => oddRecord(`reader/record ${i}`, record, checks));
    }
  },
};

/** All records of a file, which is a training file of the reference: none may be bad. */
export async function readFile(
  file: string,
  stage: Stage,
  documents: number,
  { folder, signal }: Session,
): Promise<readonly ClaraRecord[]> {
  const options = { stage, documents, source: file, ...(signal && { signal }) };
  return (await readRecords(folder.lines(file), options)).records;
}

/** A record in the reference's five fields. Where it takes a text for a list of texts, so do both sides here. */
function itemOf(record: ClaraRecord): unknown[] {
  const { documents } = record;
  if (record.kind === "paraphrase") return [documents, [], [record.paraphrase], "paraphrase", []];
  if (record.kind === "answer") return [documents, [record.question], [record.answer], "qa", record.positives];
  const [questions, answers] = [record.pairs.map(({ question }) => question), record.pairs.map(({ answer }) => answer)];
  return [documents, questions, answers, "qa", []];
}

function plain([docs, question, answer, data_type, pos_index]: Item): unknown[] {
  const asked = data_type === "paraphrase" ? [] : [question].flat();
  return [docs, asked, [answer].flat(), data_type === "paraphrase" ? data_type : "qa", pos_index];
}

/**
 * Ours is the same but where the reference stumbles: `gold_answer` is an answer, and a record with a blank text, without a
 * document, or with a position that no document has is refused.
 */
async function oddRecord(name: string, entry: OddRecord, checks: Checks): Promise<void> {
  const { record, error, docs, question, answer, data_type, pos_index } = entry;
  const paraphrase = record.data_type === "paraphrase";
  const questions = [record.question].flat().filter((text) => text !== undefined);
  const stage: Stage = paraphrase || questions.length > 1 ? "compression" : "endToEnd";
  const own = [record.docs, record.context, record.content].find(Array.isArray) ?? docs ?? [];
  const read = async (): Promise<ClaraRecord> =>
    (await readRecords([JSON.stringify(record)], { stage, documents: Math.max(1, own.length) })).records[0]!;
  if (error !== undefined) {
    if (typeof record.gold_answer !== "string") return checks.refuses(name, read);
    const found = await read();
    return checks.same(name, found.kind === "answer" && found.answer, record.gold_answer);
  }
  const blank = [...docs, ...(paraphrase ? [] : [question].flat()), [answer].flat()[0]].some((text) => !text?.trim());
  const outside = pos_index.some((place) => !(place in docs)) || new Set(pos_index).size < pos_index.length;
  if (docs.length === 0 || blank || outside) return checks.refuses(name, read);
  const wanted = stage === "compression" && !paraphrase ? [answer].flat() : [answer].flat().slice(0, 1);
  checks.same(name, itemOf(await read()), plain([docs, question, wanted, data_type, pos_index]));
}
