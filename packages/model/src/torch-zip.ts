import { ClaraError } from "@clara/core";
import type { ByteSource } from "./byte-source.ts";
import { crc32 } from "./crc32.ts";

/** Entries of a zip file by name. Each call of `read` checks the bytes against the file's own checksum. */
export type ZipEntries = ReadonlyMap<string, { readonly size: number; read(): Uint8Array }>;

const recopy = "the file is damaged or cut; copy it again";

/**
 * Reads the list of a zip file whose entries are stored, not compressed, which is how torch writes them. An entry is read when it
 * is asked for, and where it lies has been checked by then: no declared size can cost memory.
 *
 * @throws ClaraError "weights" when it is no zip file, is cut or damaged, or holds a compressed or encrypted entry.
 * @see APPNOTE.TXT 4.3 and 4.5.3 (zip64). https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT
 */
export function readZip(source: ByteSource): ZipEntries {
  const { count, start, size: end } = findDirectory(source);
  const bytes = source.read(start, end);
  const view = viewOf(bytes);
  const entries = new Map<string, { size: number; read(): Uint8Array }>();
  let at = 0;
  for (let i = 0; i < count; i++) {
    if (at + 46 > end || view.getUint32(at, true) !== 0x02014b50) fail(`entry ${i} of ${count} is missing; ${recopy}`);
    const flags = view.getUint16(at + 8, true);
    const method = view.getUint16(at + 10, true);
    const crc = view.getUint32(at + 16, true);
    const nameLength = view.getUint16(at + 28, true);
    const extraLength = view.getUint16(at + 30, true);
    const next = at + 46 + nameLength + extraLength + view.getUint16(at + 32, true);
    if (next > end) fail(`entry ${i} of ${count} is cut; ${recopy}`);
    const name = new TextDecoder().decode(bytes.subarray(at + 46, at + 46 + nameLength));
    const extra = at + 46 + nameLength;
    const { size, packed, offset } = sizes(view, at, extra, extra + extraLength, name);
    if (flags & 1) fail(`${quoted(name)} is encrypted; save the file again with torch.save`);
    if (method !== 0 || packed !== size) {
      fail(`${quoted(name)} is compressed (method ${method}); torch.save stores without compression, save it again so`);
    }
    if (entries.has(name)) fail(`${quoted(name)} is in the file twice; ${recopy}`);
    entries.set(name, { size, read: () => readEntry(source, { name, size, offset, crc, end: start }) });
    at = next;
  }
  return entries;
}

function readEntry(
  source: ByteSource,
  { name, size, offset, crc, end }: { name: string; size: number; offset: number; crc: number; end: number },
): Uint8Array {
  const head = offset + 30 > end ? undefined : viewOf(source.read(offset, 30));
  if (head?.getUint32(0, true) !== 0x04034b50) {
    fail(`${quoted(name)} does not start at byte ${offset}, where the list says; ${recopy}`);
  }
  const data = offset + 30 + head!.getUint16(26, true) + head!.getUint16(28, true);
  if (data + size > end) {
    fail(`${quoted(name)} says it is ${size} bytes long, found ${Math.max(0, end - data)}; ${recopy}`);
  }
  const out = source.read(data, size);
  if (crc32(out) !== crc) fail(`${quoted(name)} does not match its checksum; ${recopy}`);
  return out;
}

/** Where the list of entries is: behind the entries, found from the end of the file. */
function findDirectory(source: ByteSource): { count: number; start: number; size: number } {
  // The record has 22 bytes and a comment of at most 65 535; before it may be 20 of a zip64 locator.
  const from = Math.max(0, source.size - 22 - 65_535 - 20);
  const view = viewOf(source.read(from, source.size - from));
  const lowest = Math.max(0, view.byteLength - 22 - 65_535);
  let at = view.byteLength - 22;
  while (at >= lowest && view.getUint32(at, true) !== 0x06054b50) at--;
  if (at < lowest) {
    const old =
      source.size > 0 && source.read(0, 1)[0] === 0x80
        ? " (it looks like a pickle of torch before 1.6: load it and torch.save it again)"
        : "";
    fail(`${source.size} bytes do not end like a zip file${old}; expected a file of torch.save, whole`);
  }
  let count: number = view.getUint16(at + 10, true);
  let size: number = view.getUint32(at + 12, true);
  let start: number = view.getUint32(at + 16, true);
  if (at >= 20 && view.getUint32(at - 20, true) === 0x07064b50 && (count === 0xffff || start === 0xffffffff)) {
    const place = Number(view.getBigUint64(at - 12, true));
    const record = place + 56 > from + at ? undefined : viewOf(source.read(place, 56));
    if (record?.getUint32(0, true) !== 0x06064b50) fail(`its zip64 record is missing; ${recopy}`);
    count = Number(record!.getBigUint64(32, true));
    size = Number(record!.getBigUint64(40, true));
    start = Number(record!.getBigUint64(48, true));
  }
  // 46 bytes is the shortest entry: a larger count is a lie.
  if (start + size > from + at || count * 46 > size) {
    fail(`its list of ${count} entries (${size} bytes at ${start}) does not fit into ${source.size} bytes; ${recopy}`);
  }
  return { count, start, size };
}

/** Sizes and place of an entry; those that need more than 32 bits are in the zip64 field, in this order. */
function sizes(view: DataView, at: number, extra: number, end: number, name: string): Sizes {
  const found = [view.getUint32(at + 24, true), view.getUint32(at + 20, true), view.getUint32(at + 42, true)];
  if (found.includes(0xffffffff)) {
    let field = extra;
    while (field + 4 <= end && view.getUint16(field, true) !== 1) field += 4 + view.getUint16(field + 2, true);
    let value = field + 4;
    const stop = field + 4 <= end ? Math.min(end, value + view.getUint16(field + 2, true)) : field;
    for (let i = 0; i < 3; i++) {
      if (found[i] !== 0xffffffff) continue;
      if (value + 8 > stop) fail(`${quoted(name)} has no zip64 size; ${recopy}`);
      found[i] = Number(view.getBigUint64(value, true));
      value += 8;
    }
  }
  return { size: found[0]!, packed: found[1]!, offset: found[2]! };
}

type Sizes = { size: number; packed: number; offset: number };

/**
 * A zip file of stored entries in the order given, each starting on a multiple of 64 bytes as in torch's own files, so
 * that they can be mapped. Equal input gives equal bytes: all dates are 1 January 1980.
 *
 * @throws ClaraError "unsupported" above 4 GB.
 */
export function writeZip(entries: readonly (readonly [name: string, bytes: Uint8Array])[]): Uint8Array<ArrayBuffer> {
  const files = entries.map(([name, bytes]) => ({ name: new TextEncoder().encode(name), bytes, crc: crc32(bytes) }));
  let total = 0;
  const places = files.map(({ name, bytes }) => {
    const offset = total;
    const bare = offset + 30 + name.length;
    const pad = (64 - ((bare + 4) % 64)) % 64; // 4 bytes head the padding's extra field
    total = bare + 4 + pad + bytes.length;
    return { offset, pad };
  });
  const directory = total;
  for (const { name } of files) total += 46 + name.length;
  if (total + 22 > 0xffffffff || files.length >= 0xffff) {
    const what = `${files.length} entries of ${total + 22} bytes`;
    throw new ClaraError("unsupported", `writeTorchFile: writes up to 65534 tensors in 4 GB, got ${what}; split it`);
  }
  const out = new Uint8Array(total + 22);
  const view = new DataView(out.buffer);
  let entry = directory;
  for (const [i, { name, bytes, crc }] of files.entries()) {
    const { offset, pad } = places[i]!;
    view.setUint32(offset, 0x04034b50, true);
    common(view, offset + 4, name.length, bytes.length, crc);
    view.setUint16(offset + 28, 4 + pad, true);
    out.set(name, offset + 30);
    view.setUint16(offset + 30 + name.length, 0x4246, true); // "FB", the field that torch pads with
    view.setUint16(offset + 32 + name.length, pad, true);
    out.fill(0x5a, offset + 34 + name.length, offset + 34 + name.length + pad);
    out.set(bytes, offset + 34 + name.length + pad);
    view.setUint32(entry, 0x02014b50, true);
    common(view, entry + 6, name.length, bytes.length, crc);
    view.setUint32(entry + 42, offset, true);
    out.set(name, entry + 46);
    entry += 46 + name.length;
  }
  view.setUint32(entry, 0x06054b50, true);
  view.setUint16(entry + 8, files.length, true);
  view.setUint16(entry + 10, files.length, true);
  view.setUint32(entry + 12, entry - directory, true);
  view.setUint32(entry + 16, directory, true);
  return out;
}

/** The fields that an entry's head and its line in the list share, from "version needed" to the name's length. */
function common(view: DataView, at: number, nameLength: number, size: number, crc: number): void {
  view.setUint16(at, 20, true);
  view.setUint16(at + 2, 0x0800, true); // names are UTF-8
  view.setUint16(at + 8, 0x21, true);
  view.setUint32(at + 10, crc, true);
  view.setUint32(at + 14, size, true);
  view.setUint32(at + 18, size, true);
  view.setUint16(at + 22, nameLength, true);
}

function viewOf({ buffer, byteOffset, byteLength }: Uint8Array): DataView {
  return new DataView(buffer, byteOffset, byteLength);
}

function quoted(name: string): string {
  return JSON.stringify(name.length > 100 ? `${name.slice(0, 100)}…` : name);
}

function fail(problem: string): never {
  throw new ClaraError("weights", `readTorchFile: ${problem}`);
}
