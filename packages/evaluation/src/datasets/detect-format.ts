import { excerpt, isObject } from "../lines.ts";
import { recordOf } from "../records.ts";
import { readHotpotqa } from "./hotpotqa.ts";
import { readMusique } from "./musique.ts";
import { readNqOpen, readQed } from "./natural-questions.ts";
import type { ReadSourced } from "./sourced.ts";
import { isSquad } from "./squad.ts";

/** Names of `--format`. `records` is this project's own. */
export const datasetFormats = ["records", "hotpotqa", "musique", "2wikimultihopqa", "nq-open", "qed", "squad"] as const;
export type DatasetFormat = (typeof datasetFormats)[number];

/** Formats with one JSON object for each question. SQuAD has one for all. */
export const readers: Readonly<Record<Exclude<DatasetFormat, "squad">, ReadSourced>> = {
  records: (json, fallback, place) => ({ record: recordOf(json, fallback, place) }),
  hotpotqa: readHotpotqa,
  musique: readMusique,
  "2wikimultihopqa": readHotpotqa,
  "nq-open": readNqOpen,
  qed: readQed,
};

/**
 * The format of a set, by the fields that only it has.
 *
 * @param json the first object of the file, or the whole of SQuAD's
 * @returns undefined when it is none of them
 */
export function detectFormat(json: unknown): DatasetFormat | undefined {
  if (!isObject(json)) return undefined;
  if (isSquad(json)) return "squad";
  if ("question_text" in json && "paragraph_text" in json) return "qed";
  if (!("question" in json)) return undefined;
  if ("ctxs" in json) return "nq-open";
  if ("paragraphs" in json) return "musique";
  if ("context" in json && "supporting_facts" in json) return "evidences" in json ? "2wikimultihopqa" : "hotpotqa";
  return "records";
}

/** What to say about an object that is no question of any set. */
export function unknownFormat(json: unknown): string {
  if (isObject(json) && "_id" in json && "text" in json)
    return 'is a file of a retrieval set in BEIR\'s layout ("_id", "text"): give its folder to evaluate-retrieval';
  const got = isObject(json) ? `the fields ${excerpt(Object.keys(json).join(", "))}` : excerpt(json);
  return `is of no known format (${datasetFormats.join(", ")}): needs "question" and "answers" at least, got ${got}`;
}
