import { ClaraError, type Passage } from "@clara/core";
import type { PackContent, QuantizedMemory } from "./types.ts";

/*
 * memories-<generation>.bin, little-endian:
 *   header, 24 bytes: the letters CLMEMORY, u32 version, u32 passages N, u32 width D, u32 zero
 *   table, N × 16 bytes, in the order of the passages: f64 offset of the block, u32 rate, u32 count M
 *   blocks, each at a multiple of 8: spans u32[2M], scales f32[M], tokens u16[M], values i8[M·D]
 * keys-<generation>.f32: f32[N, D] in the order of the passages.
 * A pack without memories or keys has N = 0 here.
 */
const magic = "CLMEMORY";
const headerBytes = 24;
const entryBytes = 16;

function align8(bytes: number): number {
  return Math.ceil(bytes / 8) * 8;
}

function blockBytes(count: number, width: number): number {
  return align8(count * (8 + 4 + 2 + width));
}

/** @throws ClaraError "option" when memories or keys are there for some passages only, or have wrong shapes. */
export function checkVectors({ passages, memories, keys }: PackContent, width: number): void {
  for (const [name, map] of [
    ["memories", memories],
    ["keys", keys],
  ] as const) {
    if (map.size === 0) continue;
    const missing = passages.find(({ id }) => !map.has(id));
    if (missing || map.size !== passages.length) {
      const which = missing ? `passage "${missing.id}" has none` : `some are of unknown passages`;
      throw new ClaraError(
        "option",
        `writePack: needs ${name} for all ${passages.length} passages or for none, got ${map.size}; ${which}`,
      );
    }
  }
  for (const [id, memory] of memories) {
    const M = memory.count;
    const got = [memory.width, memory.values.length, memory.scales.length, memory.tokens.length, memory.spans.length];
    const wanted = [width, M * width, M, M, 2 * M];
    if (!Number.isInteger(M) || M < 0 || got.some((length, i) => length !== wanted[i])) {
      throw new ClaraError(
        "shape",
        `writePack: the memory of passage "${id}" (M = ${M}) needs width, values, scales, tokens, spans of ${wanted.join(", ")}, got ${got.join(", ")}`,
      );
    }
  }
  for (const [id, key] of keys) {
    if (key.length !== width) {
      throw new ClaraError("shape", `writePack: the key of passage "${id}" needs ${width} numbers, got ${key.length}`);
    }
    if (!key.every(Number.isFinite))
      throw new ClaraError("option", `writePack: the key of passage "${id}" is not finite`);
  }
}

export function* memoryBytes(
  passages: readonly Passage[],
  memories: ReadonlyMap<string, QuantizedMemory>,
  width: number,
): Generator<Uint8Array> {
  const rows = memories.size === 0 ? [] : passages.map(({ id }) => memories.get(id)!);
  const head = new DataView(new ArrayBuffer(align8(headerBytes + rows.length * entryBytes)));
  for (let i = 0; i < magic.length; i++) head.setUint8(i, magic.charCodeAt(i));
  head.setUint32(8, 1, true);
  head.setUint32(12, rows.length, true);
  head.setUint32(16, width, true);
  let offset = head.byteLength;
  for (const [i, { rate, count }] of rows.entries()) {
    const entry = headerBytes + i * entryBytes;
    head.setFloat64(entry, offset, true);
    head.setUint32(entry + 8, rate, true);
    head.setUint32(entry + 12, count, true);
    offset += blockBytes(count, width);
  }
  yield new Uint8Array(head.buffer);
  for (const { count, spans, scales, tokens, values } of rows) {
    const block = new Uint8Array(blockBytes(count, width));
    let at = 0;
    for (const part of [spans, scales, tokens, values]) {
      block.set(new Uint8Array(part.buffer, part.byteOffset, part.byteLength), at);
      at += part.byteLength;
    }
    yield block;
  }
}

/**
 * Opens what `memoryBytes` wrote, without copying.
 *
 * @param expected passages in the pack
 * @returns the memory at each place in the order of the passages; undefined when the pack has none
 * @throws Error saying what is wrong with the bytes.
 */
export function openMemories(
  bytes: Uint8Array,
  expected: number,
  width: number,
): ((at: number) => QuantizedMemory) | undefined {
  const { buffer, byteOffset, byteLength } = bytes;
  const view = new DataView(buffer, byteOffset, byteLength);
  const letters = byteLength < headerBytes ? "" : String.fromCharCode(...bytes.subarray(0, magic.length));
  if (letters !== magic)
    throw new Error(`needs the letters ${magic} at the start and ${headerBytes} bytes, got ${byteLength} bytes`);
  const version = view.getUint32(8, true);
  const rows = view.getUint32(12, true);
  const D = view.getUint32(16, true);
  if (version !== 1) throw new Error(`needs version 1 of the memory format, got ${version}`);
  if (D !== width) throw new Error(`needs memories of width ${width}, got ${D}`);
  if (rows === 0) return undefined;
  if (rows !== expected) throw new Error(`needs memories of ${expected} passages, got ${rows}`);
  let next = align8(headerBytes + rows * entryBytes);
  for (let at = 0; at < rows && next <= byteLength; at++) {
    const entry = headerBytes + at * entryBytes;
    if (view.getFloat64(entry, true) !== next)
      throw new Error(`memory ${at} is not where its neighbours leave room for it`);
    next += blockBytes(view.getUint32(entry + 12, true), width);
  }
  if (next !== byteLength) throw new Error(`needs ${next} bytes for its memories, got ${byteLength}`);
  return (at) => {
    const entry = headerBytes + at * entryBytes;
    const count = view.getUint32(entry + 12, true);
    let from = byteOffset + view.getFloat64(entry, true);
    const take = (bytesEach: number): number => {
      const start = from;
      from += bytesEach * count;
      return start;
    };
    const spans = new Uint32Array(buffer, take(8), 2 * count);
    const scales = new Float32Array(buffer, take(4), count);
    const tokens = new Uint16Array(buffer, take(2), count);
    const values = new Int8Array(buffer, take(width), count * width);
    return { rate: view.getUint32(entry + 8, true), count, width, values, scales, tokens, spans };
  };
}

export function* keyBytes(
  passages: readonly Passage[],
  keys: ReadonlyMap<string, Float32Array>,
): Generator<Uint8Array> {
  if (keys.size === 0) return;
  for (const { id } of passages) {
    const { buffer, byteOffset, byteLength } = keys.get(id)!;
    yield new Uint8Array(buffer, byteOffset, byteLength);
  }
}

/** The key at each place, a view; undefined when the pack has none. @throws Error saying what is wrong with the bytes. */
export function openKeys(
  bytes: Uint8Array,
  expected: number,
  width: number,
): ((at: number) => Float32Array) | undefined {
  if (bytes.byteLength === 0) return undefined;
  const needed = expected * width * 4;
  if (bytes.byteLength !== needed) {
    throw new Error(
      `needs ${needed} bytes for keys of ${expected} passages of width ${width}, got ${bytes.byteLength}`,
    );
  }
  return (at) => new Float32Array(bytes.buffer, bytes.byteOffset + at * width * 4, width);
}
