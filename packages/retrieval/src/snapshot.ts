import { createHash } from "node:crypto";
import { ClaraError } from "@clara/core";
import type { Counted } from "./postings.ts";

/** What a snapshot holds: a BM25 index without what can be computed again. */
export interface Snapshot {
  readonly analyzer: string;
  /** Term number to term. */
  readonly terms: readonly string[];
  readonly passages: readonly Counted[];
}

// Layout, little-endian:
//   0  8  "CLARABM" and the version
//   8  4  bytes of the header
//  12  4  numbers in the table
//  16     header: JSON, padded with spaces to a multiple of 4
//         table: uint32, for each passage its length, its count of different terms U, then U pairs of term and count
//         sha256 of all before it, 32 bytes
const magic = "CLARABM";
const version = 1;
const fixed = 16;
const checksum = 32;

interface Header {
  readonly analyzer: string;
  readonly terms: readonly string[];
  /** Id, document, digest and metadata of each passage. */
  readonly passages: readonly (readonly [string, string, string, Counted["metadata"]])[];
}

export function writeSnapshot({ analyzer, terms, passages }: Snapshot): Uint8Array {
  // Terms that only deleted passages had are left out, so the numbers close ranks.
  const renumbered = new Map<number, number>();
  for (const { counts } of passages) {
    for (let i = 0; i < counts.length; i += 2) {
      if (!renumbered.has(counts[i]!)) renumbered.set(counts[i]!, renumbered.size);
    }
  }
  const header: Header = {
    analyzer,
    terms: Array.from(renumbered.keys(), (t) => terms[t]!),
    passages: passages.map(({ id, document, digest, metadata }) => [id, document, digest, metadata]),
  };
  const json = new TextEncoder().encode(JSON.stringify(header));
  const room = Math.ceil(json.length / 4) * 4;
  const numbers = passages.reduce((sum, { counts }) => sum + 2 + counts.length, 0);
  const bytes = new Uint8Array(fixed + room + 4 * numbers + checksum);
  const view = new DataView(bytes.buffer);

  new TextEncoder().encodeInto(magic, bytes);
  bytes[magic.length] = version;
  view.setUint32(8, room, true);
  view.setUint32(12, numbers, true);
  bytes.fill(0x20, fixed, fixed + room);
  bytes.set(json, fixed);
  let at = fixed + room;
  for (const { length, counts } of passages) {
    view.setUint32(at, length, true);
    view.setUint32(at + 4, counts.length / 2, true);
    at += 8;
    for (let i = 0; i < counts.length; i += 2, at += 8) {
      view.setUint32(at, renumbered.get(counts[i]!)!, true);
      view.setUint32(at + 4, counts[i + 1]!, true);
    }
  }
  bytes.set(digest(bytes.subarray(0, at)), at);
  return bytes;
}

/**
 * @param analyzer Id of the analyzer that will read questions.
 * @throws ClaraError "pack" when the bytes are no snapshot, of another version, damaged, or of another analyzer.
 */
export function readSnapshot(bytes: Uint8Array, analyzer: string): Snapshot {
  if (!(bytes instanceof Uint8Array)) throw bad("it is not a Uint8Array");
  if (bytes.length < fixed + checksum) throw bad(`${bytes.length} bytes are too few`);
  if (new TextDecoder("latin1").decode(bytes.subarray(0, magic.length)) !== magic)
    throw bad("it does not begin as one");
  if (bytes[magic.length] !== version) {
    throw bad(`its version is ${bytes[magic.length]} and this build reads ${version}`);
  }
  const end = bytes.length - checksum;
  if (!digest(bytes.subarray(0, end)).every((byte, i) => byte === bytes[end + i])) {
    throw bad("its checksum does not fit: the bytes are damaged or incomplete");
  }

  // A right checksum proves only that the bytes are as they were written, so the numbers are checked as well.
  const view = new DataView(bytes.buffer, bytes.byteOffset, end);
  const room = view.getUint32(8, true);
  if (fixed + room + 4 * view.getUint32(12, true) !== end) throw bad("its sections do not fit its size");
  const header = parseHeader(bytes.subarray(fixed, fixed + room));
  if (header.analyzer !== analyzer) {
    const both = `it was made with the analyzer "${header.analyzer}", and questions will be read with "${analyzer}"`;
    throw bad(`${both}: pass the same analyzer, or index the passages again`);
  }
  let at = fixed + room;
  const passages = header.passages.map(([id, document, digest, metadata]) => {
    const size = at + 8 <= end ? 2 * view.getUint32(at + 4, true) : Number.POSITIVE_INFINITY;
    if (at + 8 + 4 * size > end) throw bad("its table ends too early");
    const length = view.getUint32(at, true);
    const counts = new Uint32Array(size);
    at += 8;
    for (let i = 0; i < size; i++, at += 4) counts[i] = view.getUint32(at, true);
    for (let i = 0; i < size; i += 2) {
      if (counts[i]! >= header.terms.length || counts[i + 1] === 0) throw bad(`the terms of "${id}" are out of range`);
    }
    return { id, document, digest, metadata, length, counts };
  });
  if (at !== end) throw bad("its table is longer than its passages");
  return { analyzer, terms: header.terms, passages };
}

function parseHeader(bytes: Uint8Array): Header {
  try {
    const header: Header = JSON.parse(new TextDecoder().decode(bytes));
    if (typeof header.analyzer === "string" && Array.isArray(header.terms) && Array.isArray(header.passages))
      return header;
  } catch (cause) {
    throw bad("its header is not JSON", cause);
  }
  throw bad("its header lacks a part");
}

function digest(bytes: Uint8Array): Uint8Array {
  return createHash("sha256").update(bytes).digest();
}

function bad(reason: string, cause?: unknown): ClaraError {
  return new ClaraError("pack", `bm25: the snapshot cannot be used, because ${reason}`, { cause });
}
