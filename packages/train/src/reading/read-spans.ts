import { ClaraError } from "@clara/core";
import type { SpanRecord } from "./span-record.ts";

/**
 * Questions of a SQuAD file (1.1 or 2.0) with the first of their answers. Answers that are not where the file says are looked for in the
 * text; questions whose answer is not there at all are left out, as are those without one.
 *
 * @throws ClaraError "input" when the bytes are no such file.
 * @see Rajpurkar et al. 2016, "SQuAD". https://arxiv.org/abs/1606.05250
 */
export function readSquad(bytes: Uint8Array): SpanRecord[] {
  const { data } = parse(bytes, "readSquad") as { data?: SquadArticle[] };
  if (!Array.isArray(data)) throw new ClaraError("input", 'readSquad: the file needs a list "data" of articles');
  return data.flatMap(({ title, paragraphs }, i) =>
    listed(paragraphs, `article ${i + 1}: "paragraphs"`).flatMap(({ context, qas }) =>
      listed(qas, `article ${i + 1}: "qas" in each paragraph`).flatMap(({ id, question, answers }): SpanRecord[] => {
        const [first] = listed(answers, `question ${id}: "answers"`);
        const answer = first && place(context, first.text, first.answer_start);
        if (!answer) return [];
        return [{ id, question, text: context, title: title.replaceAll("_", " "), answer, group: title }];
      }),
    ),
  );
}

interface SquadArticle {
  readonly title: string;
  readonly paragraphs: readonly {
    readonly context: string;
    readonly qas: readonly {
      readonly id: string;
      readonly question: string;
      readonly answers: readonly { readonly text: string; readonly answer_start: number }[];
    }[];
  }[];
}

/**
 * Questions of QED (Natural Questions with the paragraph that answers), those with an answer span. Its texts know no
 * articles: each is put into one of `groups` groups, so that others of the group are about something else.
 *
 * @throws ClaraError "input" that names the line.
 * @see Lamm et al. 2020, "QED". https://arxiv.org/abs/2009.06354
 */
export function readQed(bytes: Uint8Array, { groups = 60 }: { readonly groups?: number } = {}): SpanRecord[] {
  const lines = new TextDecoder().decode(bytes).split("\n");
  const records: SpanRecord[] = [];
  for (const [i, line] of lines.entries()) {
    if (line.trim() === "") continue;
    const record = parse(line, `readQed: line ${i + 1}`) as QedRecord;
    const { question_text: question, paragraph_text: text } = record;
    if (typeof question !== "string" || typeof text !== "string") {
      throw new ClaraError("input", `readQed: line ${i + 1}: needs "question_text" and "paragraph_text"`);
    }
    const [span] = record.answer_spans ?? [];
    if (span === undefined || span[0] < 0 || span[1] <= span[0] || span[1] > text.length) continue;
    records.push({
      id: `qed-${record.example_id}`,
      question: question.trim(),
      text,
      title: record.title_text,
      answer: { start: span[0], end: span[1] },
      group: `qed ${records.length % groups}`,
    });
  }
  return records;
}

interface QedRecord {
  readonly example_id: number | string;
  readonly question_text: string;
  readonly paragraph_text: string;
  readonly title_text: string;
  readonly answer_spans?: readonly (readonly [start: number, end: number])[];
}

/**
 * Records with spans, one JSON object a line, as `synthesize` writes them: `question`, `docs`, `spans`, and `answerable: false` for
 * questions that the first document does not answer.
 *
 * @throws ClaraError "input" that names the line.
 */
export function readSpanLines(bytes: Uint8Array): SpanRecord[] {
  const records: SpanRecord[] = [];
  for (const [i, line] of new TextDecoder().decode(bytes).split("\n").entries()) {
    if (line.trim() === "") continue;
    const where = `readSpanLines: line ${i + 1}`;
    const { id, question, docs, spans, answerable, source, title } = parse(line, where) as Partial<SpanLine>;
    const text = docs?.[spans?.[0]?.doc ?? 0];
    if (typeof question !== "string" || typeof text !== "string" || text.trim() === "") {
      throw new ClaraError("input", `${where}: needs "question" and a list "docs" of texts that are not empty`);
    }
    const [span] = spans ?? [];
    const fits = span && span.start >= 0 && span.start < span.end && span.end <= text.length;
    if (!fits && answerable !== false) {
      throw new ClaraError(
        "input",
        `${where}: needs "spans" with an answer inside its document, or "answerable": false`,
      );
    }
    const answer = answerable === false ? null : { start: span!.start, end: span!.end };
    records.push({ id: id ?? String(i + 1), question, text, ...(title && { title }), answer, group: source ?? "" });
  }
  return records;
}

interface SpanLine {
  readonly id: string;
  readonly question: string;
  readonly docs: readonly string[];
  readonly spans: readonly { readonly doc: number; readonly start: number; readonly end: number }[];
  readonly answerable: boolean;
  readonly source: string;
  readonly title: string;
}

function listed<T>(list: readonly T[], what: string): readonly T[] {
  if (!Array.isArray(list)) throw new ClaraError("input", `readSquad: ${what} must be a list`);
  return list;
}

function place(text: string, answer: string, start: number): SpanRecord["answer"] {
  const at = text.startsWith(answer, start) ? start : text.indexOf(answer);
  return at < 0 || answer === "" ? null : { start: at, end: at + answer.length };
}

function parse(source: Uint8Array | string, where: string): unknown {
  let value: unknown;
  try {
    value = JSON.parse(typeof source === "string" ? source : new TextDecoder().decode(source));
  } catch (cause) {
    throw new ClaraError("input", `${where}: is not JSON: ${(cause as Error).message}`, { cause });
  }
  if (typeof value !== "object" || value === null) throw new ClaraError("input", `${where}: must be an object`);
  return value;
}
