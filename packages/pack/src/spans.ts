/*
 * The spans of one memory, one byte for nearly every window:
 *   0 … 253  begins b & 1 characters after the end of the window before (of the first: after 0) and is b >> 1 long
 *   254      covers nothing: 0, 0
 *   255      two varints follow: start and end
 */
const nothing = 254;
const anywhere = 255;

/** @param spans [M, 2] */
export function writeSpans(spans: Uint32Array, out: number[]): void {
  let end = 0;
  for (let i = 0; i < spans.length; i += 2) {
    const from = spans[i]!;
    const to = spans[i + 1]!;
    const gap = from - end;
    const length = to - from;
    if (from === 0 && to === 0) {
      out.push(nothing);
      continue;
    }
    if ((gap === 0 || gap === 1) && length >= 0 && length <= 126) out.push(2 * length + gap);
    else {
      out.push(anywhere);
      writeVarint(from, out);
      writeVarint(to, out);
    }
    end = to;
  }
}

/**
 * Reads what `writeSpans` wrote.
 *
 * @param reader moved behind the spans
 * @param out [M, 2]; undefined to find their end only
 * @throws Error when the bytes end too early or say a number that no u32 is.
 */
export function readSpans(reader: Reader, count: number, out?: Uint32Array): void {
  let end = 0;
  for (let m = 0; m < count; m++) {
    const byte = readByte(reader);
    if (byte === nothing) continue;
    let from = end + (byte & 1);
    let to = from + (byte >> 1);
    if (byte === anywhere) {
      from = readVarint(reader);
      to = readVarint(reader);
    }
    if (out) {
      out[2 * m] = from;
      out[2 * m + 1] = to;
    }
    end = to;
  }
}

/** A place in bytes. */
export interface Reader {
  readonly bytes: Uint8Array;
  at: number;
}

function readByte(reader: Reader): number {
  const byte = reader.bytes[reader.at++];
  if (byte === undefined) throw new Error("ends within its windows");
  return byte;
}

/** Seven bits a byte, the lowest first; the high bit says that more follow. */
export function writeVarint(value: number, out: number[]): void {
  let rest = value;
  for (; rest > 127; rest = Math.floor(rest / 128)) out.push((rest % 128) + 128);
  out.push(rest);
}

export function readVarint(reader: Reader): number {
  let value = 0;
  for (let factor = 1; ; factor *= 128) {
    const byte = readByte(reader);
    value += factor * (byte & 127);
    if (value > 0xffffffff) throw new Error("holds a number beyond 32 bits");
    if (byte < 128) return value;
  }
}
