import type { Document, Passage, Scalar } from "@clara/core";
import { ClaraError } from "@clara/core";

/**
 * A passage on disk: its text is the document's slice, so it is not kept twice.
 */
type StoredPassage = Omit<Passage, "text">;

/** @throws ClaraError "option" for an id twice, an unknown document, or a text that is not the document's slice. */
export function checkText(documents: readonly Document[], passages: readonly Passage[]): void {
  const texts = new Map<string, string>();
  for (const { id, text, metadata } of documents) {
    if (texts.has(id))
      throw new ClaraError("option", `writePack: two documents have the id "${id}"; ids must be unique`);
    texts.set(id, text);
    // JSON would turn these into null. Passages are checked by their index.
    const bad = Object.entries(metadata).find(([, value]) => typeof value === "number" && !Number.isFinite(value));
    if (bad) {
      throw new ClaraError("option", `writePack: metadata.${bad[0]} of document "${id}" must be finite, got ${bad[1]}`);
    }
  }
  const seen = new Set<string>();
  for (const { id, document, text, start, end } of passages) {
    if (seen.has(id)) throw new ClaraError("option", `writePack: two passages have the id "${id}"; ids must be unique`);
    seen.add(id);
    const whole = texts.get(document);
    if (whole === undefined) {
      throw new ClaraError(
        "option",
        `writePack: passage "${id}" is of document "${document}", which is not in the content`,
      );
    }
    if (start < 0 || end < start || end > whole.length || whole.slice(start, end) !== text) {
      throw new ClaraError(
        "option",
        `writePack: the text of passage "${id}" must be document.text.slice(start, end), got another text at ${start} to ${end}`,
      );
    }
  }
}

export function storedPassage({ id, document, title, start, end, metadata }: Passage): StoredPassage {
  return { id, document, title, start, end, metadata };
}

export function parseDocument(value: unknown): Document {
  const { id, title, text, hash, metadata } = record(value);
  return {
    id: string(id, "id"),
    title: string(title, "title"),
    text: string(text, "text"),
    hash: string(hash, "hash"),
    metadata: scalars(metadata),
  };
}

export function passageParser(documents: ReadonlyMap<string, Document>): (value: unknown) => Passage {
  return (value) => {
    const { id, document, title, start, end, metadata } = record(value);
    const whole = documents.get(string(document, "document"));
    if (!whole) throw new Error(`is of document "${document}", which is not in the pack`);
    const from = offset(start, "start", whole.text.length);
    const to = offset(end, "end", whole.text.length);
    return {
      id: string(id, "id"),
      document: whole.id,
      title: string(title, "title"),
      text: whole.text.slice(from, to),
      start: from,
      end: to,
      metadata: scalars(metadata),
    };
  };
}

function record(value: unknown): Record<string, unknown> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw new Error("needs a JSON object");
  return value as Record<string, unknown>;
}

function string(value: unknown, name: string): string {
  if (typeof value !== "string") throw new Error(`needs "${name}" as a text, got ${JSON.stringify(value)}`);
  return value;
}

function offset(value: unknown, name: string, length: number): number {
  if (!Number.isInteger(value) || (value as number) < 0 || (value as number) > length) {
    throw new Error(`needs "${name}" between 0 and ${length}, got ${JSON.stringify(value)}`);
  }
  return value as number;
}

function scalars(value: unknown): Record<string, Scalar> {
  for (const [name, scalar] of Object.entries(record(value))) {
    if (!["string", "number", "boolean"].includes(typeof scalar)) {
      throw new Error(`needs "metadata.${name}" as a text, number or boolean, got ${JSON.stringify(scalar)}`);
    }
  }
  return value as Record<string, Scalar>;
}
