import { createReadStream, createWriteStream } from "node:fs";
import { type FileHandle, mkdir, open } from "node:fs/promises";
import { dirname } from "node:path";
import { Transform, type TransformCallback } from "node:stream";
import { pipeline } from "node:stream/promises";
import { crc32, createInflateRaw } from "node:zlib";
import { ClaraError } from "@clara/core";

/** A file in a zip archive; folders have no entries here. */
export interface ZipEntry {
  readonly name: string;
  /** Bytes, unpacked. */
  readonly size: number;
  readonly packedSize: number;
  /** 0 stored, 8 deflated. */
  readonly method: number;
  readonly crc: number;
  /** Of the entry's local header. */
  readonly offset: number;
}

/** A wheel is a zip archive of up to a gigabyte: it is read where it lies, entry by entry. */
export interface Zip {
  readonly entries: readonly ZipEntry[];
  text(entry: ZipEntry): Promise<string>;
  /** Writes one entry to a new file, and makes the folders above it. */
  extract(entry: ZipEntry, to: string, signal?: AbortSignal): Promise<void>;
  close(): Promise<void>;
}

/** @throws ClaraError "input" when the file is not there or not a whole zip archive. */
export async function openZip(path: string): Promise<Zip> {
  let file: FileHandle;
  try {
    file = await open(path);
  } catch (cause) {
    throw new ClaraError("input", `${path}: cannot be opened`, { cause });
  }
  try {
    const entries = await readDirectory(file, path);
    return {
      entries,
      async text(entry) {
        const pieces: Buffer[] = [];
        for await (const piece of await unpack(path, file, entry)) pieces.push(piece as Buffer);
        return Buffer.concat(pieces).toString("utf8");
      },
      async extract(entry, to, signal) {
        await mkdir(dirname(to), { recursive: true });
        const bytes = await unpack(path, file, entry);
        await pipeline(bytes, createWriteStream(to, { flags: "wx" }), ...(signal ? [{ signal }] : []));
      },
      close: () => file.close(),
    };
  } catch (error) {
    await file.close();
    throw error;
  }
}

/** The list at the archive's end. @see PKWARE APPNOTE 6.3, sections 4.3.12 and 4.3.16. */
async function readDirectory(file: FileHandle, path: string): Promise<ZipEntry[]> {
  const { size } = await file.stat();
  const tail = await readAt(file, Math.max(0, size - 65_557), Math.min(size, 65_557));
  const end = tail.lastIndexOf(Buffer.from("PK\x05\x06", "latin1"));
  if (end < 0 || end + 22 > tail.length) throw damaged(path, "no list of its files at the end");
  const count = tail.readUInt16LE(end + 10);
  const length = tail.readUInt32LE(end + 12);
  const offset = tail.readUInt32LE(end + 16);
  if (count === 0xffff || offset === 0xffffffff) {
    throw new ClaraError("unsupported", `${path}: zip archives of 4 GB and more are not read`);
  }
  const list = await readAt(file, offset, length);
  if (list.length < length) throw damaged(path, "the list of its files is cut off");
  const entries: ZipEntry[] = [];
  for (let at = 0, i = 0; i < count; i++) {
    if (at + 46 > list.length || list.readUInt32LE(at) !== 0x02014b50) throw damaged(path, "the list of its files");
    const nameLength = list.readUInt16LE(at + 28);
    const name = list.toString("utf8", at + 46, at + 46 + nameLength);
    const entry = {
      name,
      method: list.readUInt16LE(at + 10),
      crc: list.readUInt32LE(at + 16),
      packedSize: list.readUInt32LE(at + 20),
      size: list.readUInt32LE(at + 24),
      offset: list.readUInt32LE(at + 42),
    };
    // A name that ends so is a folder.
    if (!name.endsWith("/")) entries.push(entry);
    at += 46 + nameLength + list.readUInt16LE(at + 30) + list.readUInt16LE(at + 32);
  }
  return entries;
}

async function unpack(path: string, file: FileHandle, entry: ZipEntry): Promise<NodeJS.ReadableStream> {
  const { name, method, packedSize, offset } = entry;
  if (method !== 0 && method !== 8) {
    throw new ClaraError("unsupported", `${path}: ${name} is packed by method ${method}, only 0 and 8 are read`);
  }
  const header = await readAt(file, offset, 30);
  if (header.length < 30 || header.readUInt32LE(0) !== 0x04034b50) throw damaged(path, name);
  const start = offset + 30 + header.readUInt16LE(26) + header.readUInt16LE(28);
  const check = checked(path, entry);
  if (packedSize === 0) return check.end();
  const packed = createReadStream(path, { start, end: start + packedSize - 1, highWaterMark: 1 << 20 });
  const inflate = createInflateRaw({ chunkSize: 1 << 20 });
  const done = method === 0 ? pipeline(packed, check) : pipeline(packed, inflate, check);
  // Errors end the last stream, where the reader sees them.
  done.catch((cause) => check.destroy(cause instanceof ClaraError ? cause : damaged(path, name, cause)));
  return check;
}

/** Passes bytes on and fails at the end when they are not those that were packed. */
function checked(path: string, { name, crc, size }: ZipEntry): Transform {
  let sum = 0;
  let length = 0;
  return new Transform({
    transform(chunk: Buffer, _encoding, done: TransformCallback) {
      sum = crc32(chunk, sum);
      length += chunk.length;
      done(null, chunk);
    },
    flush(done: TransformCallback) {
      done(sum === crc && length === size ? null : damaged(path, name));
    },
  });
}

async function readAt(file: FileHandle, position: number, length: number): Promise<Buffer> {
  const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, position);
  return buffer.subarray(0, bytesRead);
}

function damaged(path: string, what: string, cause?: unknown): ClaraError {
  return new ClaraError("input", `${path}: is not a whole zip archive (${what}); download it again`, { cause });
}
