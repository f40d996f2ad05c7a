import { basename } from "node:path";
import { ClaraError } from "@clara/core";
import { openZip, type Zip } from "./zip.ts";

/** A Python wheel whose metadata agree with its file name. */
export interface Wheel {
  readonly path: string;
  /** As PyPI writes it, with `-`. */
  readonly name: string;
  readonly version: string;
  /** The last part of the file name. */
  readonly platform: string;
  readonly zip: Zip;
}

/** Opens a wheel; its caller closes `zip`. @throws ClaraError "input" when it is none. */
export async function openWheel(path: string): Promise<Wheel> {
  const parts = /^([^-]+)-([^-]+)(?:-\d[^-]*)?-([^-]+)-([^-]+)-([^-]+)\.whl$/.exec(basename(path));
  if (!parts) {
    throw new ClaraError(
      "input",
      `${path}: is not named as a wheel is (name-version-python-abi-platform.whl); keep the name it was downloaded by`,
    );
  }
  const zip = await openZip(path);
  try {
    const entry = zip.entries.find(({ name }) => /^[^/]+\.dist-info\/METADATA$/.test(name));
    if (!entry) throw new ClaraError("input", `${path}: has no METADATA, so it is not a wheel`);
    const metadata = await zip.text(entry);
    const field = (name: string) => new RegExp(`^${name}: *(.+?)\\s*$`, "m").exec(metadata)?.[1] ?? "";
    const name = normal(field("Name"));
    const version = field("Version");
    if (name !== normal(parts[1]!) || version !== parts[2]) {
      const inside = `${name} ${version}`;
      throw new ClaraError("input", `${path}: holds ${inside}, which is not what its name says; download it again`);
    }
    return { path, name, version, platform: parts[5]!, zip };
  } catch (error) {
    await zip.close();
    throw error;
  }
}

/** @throws ClaraError "input" when the wheel is for another kind of machine. */
export function requirePlatform({ path, platform }: Wheel, machine: { platform: string; arch: string }): void {
  const arch = machine.arch === "arm64" ? "aarch64" : "x86_64";
  if (platform === "any" || (machine.platform === "linux" && /linux/.test(platform) && platform.includes(arch))) return;
  throw new ClaraError(
    "input",
    `${path}: is for ${platform}, and this machine is ${machine.platform}-${machine.arch}; take the wheel for linux ${arch}`,
  );
}

function normal(name: string): string {
  return name.toLowerCase().replace(/[-_.]+/g, "-");
}
