import { bad, excerpt, identifier, jsonObject, type Lines, numbered, type Place } from "./lines.ts";

export interface BeirDocument {
  readonly id: string;
  /** May be empty. */
  readonly title: string;
  readonly text: string;
}

export interface BeirQuery {
  readonly id: string;
  readonly text: string;
}

export interface BeirSources {
  /** Lines of `corpus.jsonl`. */
  readonly corpus: Lines;
  /** Lines of `queries.jsonl`. */
  readonly queries: Lines;
  /** Lines of `qrels/test.tsv`; a header line may be there. */
  readonly qrels: Lines;
  /** The files' names, for errors. @default corpus.jsonl, queries.jsonl, qrels/test.tsv */
  readonly names?: { readonly corpus?: string; readonly queries?: string; readonly qrels?: string };
}

export interface BeirSet {
  readonly corpus: readonly BeirDocument[];
  /** Those with a relevant document. */
  readonly queries: readonly BeirQuery[];
  /** Query id to document id to grade. */
  readonly qrels: ReadonlyMap<string, ReadonlyMap<string, number>>;
  /** Queries left out because the qrels have no relevant document for them (a set's other splits). */
  readonly skippedQueries: number;
}

/**
 * Reads a retrieval set in BEIR's layout.
 *
 * @throws ClaraError "input" naming file and line: bad JSON, a missing field, an id twice, a judgement about an unknown id.
 * @see Thakur et al. 2021, "BEIR". https://arxiv.org/abs/2104.08663
 */
export async function readBeir({ corpus, queries, qrels, names = {} }: BeirSources): Promise<BeirSet> {
  const corpusName = names.corpus ?? "corpus.jsonl";
  const queriesName = names.queries ?? "queries.jsonl";
  // All three at once: a readline interface that waits for its turn loses its lines.
  const [documents, questions, judgements] = await Promise.all([
    readTexts(corpus, corpusName),
    readTexts(queries, queriesName),
    readJudgements(qrels, names.qrels ?? "qrels/test.tsv"),
  ]);
  const judged = new Map<string, Map<string, number>>();
  for (const { query, document, grade, place } of judgements) {
    if (!questions.has(query)) {
      bad(place, `query "${excerpt(query)}" is not in ${queriesName}; the files must be of one set`);
    }
    if (!documents.has(document)) {
      bad(place, `document "${excerpt(document)}" is not in ${corpusName}; the files must be of one set`);
    }
    const grades = judged.get(query) ?? new Map<string, number>();
    judged.set(query, grades.set(document, grade));
  }
  for (const [query, grades] of judged) if (![...grades.values()].some((grade) => grade > 0)) judged.delete(query);
  const kept = [...questions.values()].filter(({ id }) => judged.has(id)).map(({ id, text }) => ({ id, text }));
  return {
    corpus: [...documents.values()],
    queries: kept,
    qrels: judged,
    skippedQueries: questions.size - kept.length,
  };
}

interface Judgement {
  readonly query: string;
  readonly document: string;
  readonly grade: number;
  readonly place: Place;
}

async function readJudgements(lines: Lines, source: string): Promise<Judgement[]> {
  const judgements: Judgement[] = [];
  for await (const { line, number, place } of numbered(lines, source)) {
    const fields = line.split("\t").map((field) => field.trim());
    const [query = "", document = "", score = ""] = fields;
    if (number === 1 && query === "query-id") continue;
    const grade = score === "" ? Number.NaN : Number(score);
    if (fields.length !== 3 || !Number.isFinite(grade)) {
      bad(place, `needs three fields between tabs: query id, document id, number; got ${excerpt(line)}`);
    }
    judgements.push({ query, document, grade, place });
  }
  return judgements;
}

async function readTexts(lines: Lines, source: string): Promise<Map<string, BeirDocument>> {
  const entries = new Map<string, BeirDocument>();
  for await (const { line, place } of numbered(lines, source)) {
    const { _id, title = "", text } = jsonObject(line, place);
    const id = identifier(_id, "_id", place);
    if (typeof text !== "string")
      bad(place, `needs "text" as a text, got ${text === undefined ? "none" : excerpt(text)}`);
    if (typeof title !== "string" && title !== null) bad(place, `needs "title" as a text, got ${excerpt(title)}`);
    if (entries.has(id)) bad(place, `has the "_id" ${excerpt(id)}, which an earlier line has too; ids must be unique`);
    entries.set(id, { id, title: title ?? "", text });
  }
  return entries;
}
