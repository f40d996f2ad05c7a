import { ClaraError } from "@clara/core";
import { type Reader, readSpans, readVarint, writeSpans, writeVarint } from "./spans.ts";
import type { PackContent, PackIdentity, QuantizedMemory } from "./types.ts";

/*
 * memories-<generation>.bin, little-endian:
 *   header, 32 bytes: the letters CLMEMORY, u32 version, u32 passages N, u32 width D, u32 rate, u32 bits, u32 vectors W
 *   scales, float16[W], then values, i8[W · ceil(D·bits / 8)]: the vectors of all passages, in their order
 *   windows, for each passage: varint count M, varint of how many tokens fewer than rate the last vector has, M spans
 * A pack without memories has N = 0 here. Search keys are derived: they take no room.
 */
const magic = "CLMEMORY";
const version = 2;
const headerBytes = 32;

/** What all memories of a pack have in common. */
export type MemoryForm = Pick<PackIdentity, "rate" | "width" | "bits">;

/** @throws ClaraError "option" when memories are there for some passages only, "shape" for one of another form. */
export function checkMemories({ passages, memories }: PackContent, { rate, width, bits }: MemoryForm): void {
  if (memories.size === 0) return;
  const missing = passages.find(({ id }) => !memories.has(id));
  if (missing || memories.size !== passages.length) {
    const which = missing ? `passage "${missing.id}" has none` : `some are of unknown passages`;
    throw new ClaraError(
      "option",
      `writePack: needs memories for all ${passages.length} passages or for none, got ${memories.size}; ${which}`,
    );
  }
  for (const [id, memory] of memories) {
    const { count: M, values, scales, tokens, spans } = memory;
    const got = [memory.rate, memory.width, memory.bits, values.length, scales.length, tokens.length, spans.length];
    const wanted = [rate, width, bits, M * rowBytes(width, bits), M, M, 2 * M];
    if (!Number.isInteger(M) || M < 0 || got.some((length, i) => length !== wanted[i])) {
      throw new ClaraError(
        "shape",
        `writePack: the memory of passage "${id}" (M = ${M}) needs rate, width, bits and lengths of values, scales, tokens, spans of ${wanted.join(", ")}, got ${got.join(", ")}`,
      );
    }
    const wrong = tokens.findIndex((n, m) => (m < M - 1 ? n !== rate : n < 1 || n > rate));
    if (wrong >= 0) {
      throw new ClaraError(
        "shape",
        `writePack: the vectors of passage "${id}" need ${rate} tokens each, and the last one 1 to ${rate}; vector ${wrong} has ${tokens[wrong]}`,
      );
    }
    const bad = scales.findIndex((half) => !finite(half));
    if (bad >= 0)
      throw new ClaraError("option", `writePack: the scale of vector ${bad} of passage "${id}" is not finite`);
  }
}

/** Bytes that memories take in a pack. Their search keys are derived and take none. */
export function memoryBytes(memories: Iterable<QuantizedMemory>): number {
  let sum = 0;
  for (const memory of memories) sum += 2 * memory.count + memory.values.length + windowBytes(memory).length;
  return sum;
}

/** The file of these memories, in pieces. */
export function* memoryFile(
  memories: readonly QuantizedMemory[],
  { rate, width, bits }: MemoryForm,
): Generator<Uint8Array> {
  const header = new DataView(new ArrayBuffer(headerBytes));
  for (let i = 0; i < magic.length; i++) header.setUint8(i, magic.charCodeAt(i));
  const vectors = memories.reduce((sum, { count }) => sum + count, 0);
  for (const [i, value] of [version, memories.length, width, rate, bits, vectors].entries()) {
    header.setUint32(8 + 4 * i, value, true);
  }
  yield new Uint8Array(header.buffer);
  for (const { scales } of memories) yield bytesOf(scales);
  for (const { values } of memories) yield bytesOf(values);
  for (const memory of memories) yield windowBytes(memory);
}

/**
 * Opens what `memoryFile` wrote. Values and scales are not copied.
 *
 * @param expected passages in the pack
 * @returns the memory at each place in the order of the passages; undefined when the pack has none
 * @throws Error saying what is wrong with the bytes.
 */
export function openMemories(
  bytes: Uint8Array,
  expected: number,
  { rate, width, bits }: MemoryForm,
): ((at: number) => QuantizedMemory) | undefined {
  const { buffer, byteOffset, byteLength } = bytes;
  const view = new DataView(buffer, byteOffset, byteLength);
  const letters = byteLength < headerBytes ? "" : String.fromCharCode(...bytes.subarray(0, magic.length));
  if (letters !== magic)
    throw new Error(`needs the letters ${magic} at the start and ${headerBytes} bytes, got ${byteLength} bytes`);
  const [gotVersion, N, ...form] = [0, 1, 2, 3, 4].map((i) => view.getUint32(8 + 4 * i, true));
  const W = view.getUint32(28, true);
  if (gotVersion !== version) throw new Error(`needs version ${version} of the memory format, got ${gotVersion}`);
  for (const [i, wanted] of [width, rate, bits].entries()) {
    const name = ["width", "rate", "bits"][i];
    if (form[i] !== wanted) throw new Error(`needs memories of ${name} ${wanted}, got ${form[i]}`);
  }
  if (N === 0) return undefined;
  if (N !== expected) throw new Error(`needs memories of ${expected} passages, got ${N}`);
  const row = rowBytes(width, bits);
  const valuesAt = headerBytes + 2 * W;
  const windowsAt = valuesAt + W * row;
  if (windowsAt > byteLength) throw new Error(`needs ${windowsAt} bytes for ${W} vectors, got ${byteLength}`);

  // First vector of each passage, and where its windows begin.
  const firsts = new Float64Array(expected + 1);
  const places = new Float64Array(expected);
  const reader: Reader = { bytes, at: windowsAt };
  for (let at = 0; at < expected; at++) {
    places[at] = reader.at;
    const count = readVarint(reader);
    if (readVarint(reader) >= rate) throw new Error(`memory ${at} needs at least one token behind its last vector`);
    readSpans(reader, count);
    firsts[at + 1] = firsts[at]! + count;
  }
  if (firsts[expected] !== W) throw new Error(`needs windows of ${W} vectors, got ${firsts[expected]}`);
  if (reader.at !== byteLength) throw new Error(`needs ${reader.at} bytes for its memories, got ${byteLength}`);

  return (at) => {
    const first = firsts[at]!;
    const count = firsts[at + 1]! - first;
    const reader: Reader = { bytes, at: places[at]! };
    readVarint(reader);
    const fewer = readVarint(reader);
    const tokens = new Uint16Array(count).fill(rate);
    if (count > 0) tokens[count - 1] = rate - fewer;
    const spans = new Uint32Array(2 * count);
    readSpans(reader, count, spans);
    const scales = new Uint16Array(buffer, byteOffset + headerBytes + 2 * first, count);
    const values = new Int8Array(buffer, byteOffset + valuesAt + first * row, count * row);
    return { rate, count, width, bits, values, scales, tokens, spans };
  };
}

function windowBytes({ rate, count, tokens, spans }: QuantizedMemory): Uint8Array {
  const out: number[] = [];
  writeVarint(count, out);
  writeVarint(count === 0 ? 0 : rate - tokens[count - 1]!, out);
  writeSpans(spans, out);
  return Uint8Array.from(out);
}

function rowBytes(width: number, bits: number): number {
  return Math.ceil((width * bits) / 8);
}

/** Infinity and what is no number have all bits of the exponent. */
function finite(half: number): boolean {
  return (half & 0x7c00) !== 0x7c00;
}

function bytesOf({ buffer, byteOffset, byteLength }: Uint16Array | Int8Array): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength);
}
