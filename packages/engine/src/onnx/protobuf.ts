/**
 * The four wire forms of Protocol Buffers that an ONNX model needs. A message is the list of its encoded fields.
 *
 * @see https://protobuf.dev/programming-guides/encoding/
 */
export type Fields = readonly Uint8Array[];

const utf8 = new TextEncoder();

/** Base-128, least significant group first; a negative number as its 64-bit complement. @param value a safe integer */
function varint(value: number): number[] {
  const bytes: number[] = [];
  if (value < 0) {
    let wide = BigInt.asUintN(64, BigInt(value));
    for (; wide > 127n; wide >>= 7n) bytes.push(Number(wide & 127n) | 128);
    return [...bytes, Number(wide)];
  }
  let rest = value;
  // Not `>>>`: that cuts to 32 bits.
  for (; rest > 127; rest = Math.floor(rest / 128)) bytes.push((rest % 128) | 128);
  bytes.push(rest);
  return bytes;
}

const key = (field: number, wireType: number): number[] => varint(field * 8 + wireType);

/** A field that holds an integer, or an enum's number. */
export function int(field: number, value: number): Fields {
  return [Uint8Array.from([...key(field, 0), ...varint(value)])];
}

/** A field that holds a float32. */
export function float(field: number, value: number): Fields {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setFloat32(0, value, true);
  return [Uint8Array.from([...key(field, 5), ...bytes])];
}

/** A field that holds bytes; they are referred to, not copied. */
export function bytes(field: number, value: Uint8Array): Fields {
  return [Uint8Array.from([...key(field, 2), ...varint(value.length)]), value];
}

/** A field that holds a string. */
export function text(field: number, value: string): Fields {
  return bytes(field, utf8.encode(value));
}

/** A field that holds a message. */
export function message(field: number, ...fields: readonly Fields[]): Fields {
  const body = fields.flat();
  return [Uint8Array.from([...key(field, 2), ...varint(size(body))]), ...body];
}

/** The whole as one array of bytes. */
export function encode(...fields: readonly Fields[]): Uint8Array {
  const body = fields.flat();
  const out = new Uint8Array(size(body));
  let offset = 0;
  for (const part of body) {
    out.set(part, offset);
    offset += part.length;
  }
  return out;
}

function size(fields: Fields): number {
  return fields.reduce((sum, part) => sum + part.length, 0);
}
