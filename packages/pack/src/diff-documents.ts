import { ClaraError, type Document } from "@clara/core";

export interface DocumentDiff {
  /** Ids. Together with `changed` and `unchanged` they are all that was found. */
  readonly added: string[];
  readonly changed: string[];
  readonly unchanged: string[];
  /** In the pack, but no longer found. */
  readonly deleted: string[];
}

/**
 * What must be indexed again: documents are the same when id and hash are.
 *
 * @throws ClaraError "option" when an id was found twice.
 */
export function diffDocuments(
  existing: Iterable<Pick<Document, "id" | "hash">>,
  found: Iterable<Pick<Document, "id" | "hash">>,
): DocumentDiff {
  const before = new Map<string, string>();
  for (const { id, hash } of existing) before.set(id, hash);
  const seen = new Set<string>();
  const diff: DocumentDiff = { added: [], changed: [], unchanged: [], deleted: [] };
  for (const { id, hash } of found) {
    if (seen.has(id))
      throw new ClaraError("option", `diffDocuments: the id "${id}" was found twice; ids must be unique`);
    seen.add(id);
    const old = before.get(id);
    const list = old === undefined ? diff.added : old === hash ? diff.unchanged : diff.changed;
    list.push(id);
  }
  for (const id of before.keys()) if (!seen.has(id)) diff.deleted.push(id);
  return diff;
}
