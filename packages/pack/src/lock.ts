import { randomBytes } from "node:crypto";
import { open, readFile, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { ClaraError } from "@clara/core";
import { errorCode } from "./files.ts";

export const lockName = "pack.lock";

/** A lock without a process id in it is one that its owner died over, unless it is this young. */
const writingMs = 5_000;

/**
 * Makes this the one writer of a pack. A lock whose process is gone is taken over.
 *
 * @returns gives the lock back
 * @throws ClaraError "pack" naming the process that holds it.
 */
export async function lock(directory: string): Promise<() => Promise<void>> {
  const path = join(directory, lockName);
  // Two may find the same stale lock at once: a few rounds decide who gets it.
  for (let round = 0; round < 5; round++) {
    try {
      const file = await open(path, "wx");
      try {
        await file.writeFile(`${process.pid}\n`);
      } catch (error) {
        await rm(path, { force: true });
        throw error;
      } finally {
        await file.close();
      }
      return () => rm(path, { force: true });
    } catch (error) {
      if (errorCode(error) !== "EEXIST") throw error;
    }
    const holder = await holderOf(path);
    if (holder === undefined) continue;
    if (holder.alive) {
      throw new ClaraError(
        "pack",
        `writePack: ${directory} is being written by process ${holder.pid || "unknown"} (${lockName}); wait until it is done, or end it`,
      );
    }
    await removeStale(path, holder.text);
  }
  throw new ClaraError(
    "pack",
    `writePack: ${directory} is being written by several processes (${lockName}); try again`,
  );
}

async function holderOf(path: string): Promise<{ pid: number; alive: boolean; text: string } | undefined> {
  try {
    const text = await readFile(path, "utf8");
    const { mtimeMs } = await stat(path);
    const pid = /^\d+\n$/.test(text) ? Number(text) : 0;
    return { pid, alive: pid === 0 ? Date.now() - mtimeMs < writingMs : isAlive(pid, mtimeMs), text };
  } catch (error) {
    if (errorCode(error) === "ENOENT") return undefined;
    throw error;
  }
}

function isAlive(pid: number, lockedMs: number): boolean {
  // In a container every run has the same process id: a lock older than this process is not its own.
  if (pid === process.pid) return lockedMs > Date.now() - process.uptime() * 1000 - 1000;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // EPERM: it lives and belongs to someone else.
    return errorCode(error) !== "ESRCH";
  }
}

/** Moves the lock away before deleting it, so that a lock that was made anew meanwhile can be put back. */
async function removeStale(path: string, text: string): Promise<void> {
  const aside = `${path}.${randomBytes(6).toString("hex")}`;
  try {
    await rename(path, aside);
    if ((await readFile(aside, "utf8")) === text) await rm(aside, { force: true });
    else await rename(aside, path);
  } catch (error) {
    if (errorCode(error) !== "ENOENT") throw error;
  }
}
