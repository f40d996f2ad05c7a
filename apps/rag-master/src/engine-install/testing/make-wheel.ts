import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { crc32, deflateRawSync } from "node:zlib";

/** A zip archive of these texts, deflated but for names that end in `.stored`. */
export function makeZip(files: Readonly<Record<string, string>>): Buffer {
  const local: Buffer[] = [];
  const central: Buffer[] = [];
  let offset = 0;
  for (const [name, text] of Object.entries(files)) {
    const data = Buffer.from(text);
    const packed = name.endsWith(".stored") ? data : deflateRawSync(data);
    const path = Buffer.from(name);
    const common = Buffer.alloc(26);
    common.writeUInt16LE(20, 0);
    common.writeUInt16LE(name.endsWith(".stored") ? 0 : 8, 4);
    common.writeUInt32LE(crc32(data), 10);
    common.writeUInt32LE(packed.length, 14);
    common.writeUInt32LE(data.length, 18);
    common.writeUInt16LE(path.length, 22);
    const entry = Buffer.concat([Buffer.from("PK\x03\x04"), common, path, packed]);
    const rest = Buffer.alloc(14);
    rest.writeUInt32LE(offset, 10);
    central.push(Buffer.from("PK\x01\x02\x14\x00"), common, rest, path);
    local.push(entry);
    offset += entry.length;
  }
  const list = Buffer.concat(central);
  const end = Buffer.alloc(22);
  end.write("PK\x05\x06", "latin1");
  end.writeUInt16LE(Object.keys(files).length, 8);
  end.writeUInt16LE(Object.keys(files).length, 10);
  end.writeUInt32LE(list.length, 12);
  end.writeUInt32LE(offset, 16);
  return Buffer.concat([...local, list, end]);
}

/** Writes a wheel and returns its path. */
export function makeWheel(
  folder: string,
  { name, version, platform = "manylinux_2_17_x86_64.manylinux2014_x86_64", files = {}, says = name }: WheelOptions,
): string {
  const path = join(folder, `${name.replaceAll("-", "_")}-${version}-cp311-cp311-${platform}.whl`);
  const info = `${name.replaceAll("-", "_")}-${version}.dist-info`;
  mkdirSync(dirname(path), { recursive: true });
  const metadata = `Metadata-Version: 2.1\nName: ${says}\nVersion: ${version}\nSummary: x\n`;
  writeFileSync(path, makeZip({ ...files, [`${info}/METADATA`]: metadata }));
  return path;
}

interface WheelOptions {
  readonly name: string;
  readonly version: string;
  readonly platform?: string;
  readonly files?: Readonly<Record<string, string>>;
  /** The name in its METADATA. */
  readonly says?: string;
}
