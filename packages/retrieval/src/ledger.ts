import { createHash } from "node:crypto";
import { type Batch, ClaraError, type IndexedPassage, type Receipt, type Scalar } from "@clara/core";
import { describe } from "./check.ts";

/** What every index keeps of a passage: enough to filter it and to know it again. */
export interface Entry {
  readonly id: string;
  readonly document: string;
  readonly metadata: Readonly<Record<string, Scalar>>;
  /** Of all that is indexed: title, text, document, metadata, vector. Equal digests mean nothing to do. */
  readonly digest: string;
}

/** A checked batch, compared with what is in the index. */
export interface Plan {
  /** New or changed passages, in the order of the batch. */
  readonly puts: readonly { readonly passage: IndexedPassage; readonly entry: Entry }[];
  /** Ids that are in the index and go. */
  readonly deletes: readonly string[];
  readonly added: number;
  readonly updated: number;
  readonly unchanged: number;
}

/**
 * Checks a whole batch before anything is changed, and finds what it changes.
 *
 * An id in both `upsert` and `delete` is an upsert: whoever replaces a document deletes its old passages and adds the
 * new ones, and some keep their ids.
 *
 * @throws ClaraError "input" for a passage that cannot be indexed, "option" for a batch that contradicts itself.
 */
export function planBatch(where: string, entries: ReadonlyMap<string, Entry>, batch: Batch): Plan {
  checkBatch(where, batch);
  const upsert = batch.upsert ?? [];
  const coming = new Set(upsert.map(({ id }) => id));
  const puts: Plan["puts"][number][] = [];
  let added = 0;
  for (const passage of upsert) {
    const entry = entryOf(passage);
    const before = entries.get(passage.id);
    if (before?.digest === entry.digest) continue;
    if (before === undefined) added++;
    puts.push({ passage, entry });
  }
  const deletes = [...new Set(batch.delete ?? [])].filter((id) => entries.has(id) && !coming.has(id));
  return { puts, deletes, added, updated: puts.length - added, unchanged: upsert.length - puts.length };
}

/** @param total Passages in the index after the plan was carried out. */
export function receipt({ added, updated, unchanged, deletes }: Plan, total: number): Receipt {
  return { added, updated, unchanged, deleted: deletes.length, total };
}

/** The text that is searched by words: the title is what a reader of the slice alone would miss. */
export function searchText({ title, text }: IndexedPassage): string {
  return `${title}\n${text}`;
}

/** The checks that need no index. @throws as `planBatch` does. */
export function checkBatch(where: string, batch: Batch): void {
  if (typeof batch !== "object" || batch === null) {
    throw new ClaraError("option", `${where}: needs a batch { upsert?, delete? }, got ${describe(batch)}`);
  }
  for (const name of ["upsert", "delete"] as const) {
    const list = batch[name];
    if (list !== undefined && !Array.isArray(list)) {
      throw new ClaraError("option", `${where}: batch.${name} must be an array, got ${describe(list)}`);
    }
  }
  for (const id of batch.delete ?? []) {
    if (typeof id !== "string")
      throw new ClaraError("option", `${where}: ids to delete must be strings, got ${describe(id)}`);
  }
  const seen = new Set<string>();
  for (const [i, passage] of (batch.upsert ?? []).entries()) {
    checkPassage(`${where}: upsert[${i}]`, passage);
    if (seen.has(passage.id)) {
      throw new ClaraError("option", `${where}: a batch may hold an id once, got ${describe(passage.id)} twice`);
    }
    seen.add(passage.id);
  }
}

function checkPassage(where: string, passage: IndexedPassage): void {
  if (typeof passage !== "object" || passage === null) {
    throw new ClaraError("input", `${where} must be a passage, got ${describe(passage)}`);
  }
  for (const name of ["id", "document", "title", "text"] as const) {
    if (typeof passage[name] !== "string") {
      throw new ClaraError("input", `${where}.${name} must be a string, got ${describe(passage[name])}`);
    }
  }
  if (passage.id === "") throw new ClaraError("input", `${where}.id must not be empty`);
  if (typeof passage.metadata !== "object" || passage.metadata === null) {
    throw new ClaraError("input", `${where}.metadata must be an object, got ${describe(passage.metadata)}`);
  }
  for (const [key, value] of Object.entries(passage.metadata)) {
    if (typeof value !== "string" && typeof value !== "boolean" && !Number.isFinite(value)) {
      const needs = "must be a string, a finite number or a boolean";
      throw new ClaraError("input", `${where}.metadata[${describe(key)}] ${needs}, got ${describe(value)}`);
    }
  }
}

function entryOf({ id, document, title, text, metadata, vector }: IndexedPassage): Entry {
  const sorted = Object.entries(metadata).sort(([a], [b]) => (a < b ? -1 : 1));
  const hash = createHash("sha1").update(JSON.stringify([document, title, text, sorted]));
  if (vector) hash.update(new Uint8Array(vector.buffer, vector.byteOffset, vector.byteLength));
  // A copy: what the caller does to its passages later must not reach the index.
  return { id, document, metadata: { ...metadata }, digest: hash.digest("base64") };
}
