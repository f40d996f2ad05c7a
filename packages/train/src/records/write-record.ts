import type { ClaraRecord } from "./clara-record.ts";

/**
 * A record as one line of the reference's files, without the line end. Its own id is left out: the reference has none.
 *
 * Write paraphrases and questions to files of their own: the reference cannot load a file with both.
 */
export function writeRecord(record: ClaraRecord): string {
  return JSON.stringify(fieldsOf(record));
}

function fieldsOf(record: ClaraRecord): object {
  const docs = record.documents;
  if (record.kind === "paraphrase") {
    return { data_type: "paraphrase", question: [""], answers: [record.paraphrase], docs };
  }
  if (record.kind === "questions") {
    const question = record.pairs.map((pair) => pair.question);
    return { data_type: "qa", question, answers: record.pairs.map((pair) => pair.answer), docs };
  }
  const { question, answer, aliases, gold, positives } = record;
  return {
    question,
    docs,
    ...(gold !== undefined && { gold_answer: gold }),
    ...(aliases.length > 0 && { golden_answers: aliases }),
    answer,
    ...(positives.length > 0 && { pos_index: positives }),
  };
}
