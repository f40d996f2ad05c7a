import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { ClaraError } from "@clara/core";
import { openPack, type Pack, type PackIdentity, packVersion } from "@clara/pack";

/**
 * What is in the pack already. One that is damaged or of an earlier version is made anew, as the error of opening it advises:
 * `note` says so.
 *
 * @throws ClaraError "pack" for what is not ours to replace: a file, a folder of other files, another program's manifest, a pack
 *   of a newer version, and a sound one that another model made.
 */
export async function openPrevious(pack: string, expect: PackIdentity): Promise<{ previous?: Pack; note?: string }> {
  const found = await stat(pack).catch(() => undefined);
  if (found === undefined) return {};
  if (!found.isDirectory())
    throw new ClaraError("pack", `${pack} is a file, and a pack is a directory; choose another --pack`);
  const names = await readdir(pack);
  if (names.includes("manifest.json")) {
    try {
      return { previous: await openPack(pack, { expect }) };
    } catch (error) {
      const state = await stateOf(pack);
      if (state === "not ours") throw error;
      return { note: `${state} and is made anew (${(error as Error).message.split("; ")[0]!})` };
    }
  }
  const other = names.find((name) => !name.startsWith(".") && !interrupted.test(name));
  if (other !== undefined)
    throw new ClaraError(
      "pack",
      `${pack} holds other files and no pack (found ${other}); choose an empty or new directory for --pack`,
    );
  return {};
}

/** What a first run that was killed leaves behind; keys are of an earlier version. */
const interrupted =
  /^((documents|passages|memories|keys|bm25)-\d+\.(jsonl|bin|f32)|manifest\.json)(\.tmp)?$|^pack\.lock/;

async function stateOf(pack: string): Promise<"was damaged" | "is of an earlier version" | "not ours"> {
  const whole = await openPack(pack).then(
    async (opened) => {
      await opened.close();
      return true;
    },
    (error: unknown) => !(error instanceof ClaraError && error.code === "pack"),
  );
  if (whole) return "not ours";
  try {
    const manifest = JSON.parse(await readFile(join(pack, "manifest.json"), "utf8"));
    if (manifest?.format !== "clara-pack" || manifest.version > packVersion) return "not ours";
    return manifest.version < packVersion ? "is of an earlier version" : "was damaged";
  } catch (error) {
    return error instanceof SyntaxError ? "was damaged" : "not ours";
  }
}
