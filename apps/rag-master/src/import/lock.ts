import { readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { ClaraError } from "@clara/core";
import { ioError } from "../write-atomic.ts";

/**
 * Makes this process the one that writes. A lock whose process is gone is taken over.
 *
 * @returns gives the lock back
 * @throws ClaraError "option" naming the process that holds it, "io" when it cannot be written.
 */
export function lock(path: string): () => void {
  // Two may find the same old lock at once: another round decides.
  for (let round = 0; round < 3; round++) {
    try {
      writeFileSync(path, `${process.pid}\n`, { flag: "wx" });
      return () => rmSync(path, { force: true });
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code !== "EEXIST") throw ioError(path, cause);
    }
    const pid = holderOf(path);
    if (pid !== undefined) {
      throw new ClaraError(
        "option",
        `${path}: process ${pid} is importing to this folder; wait until it is done, or end it`,
      );
    }
    rmSync(path, { force: true });
  }
  throw new ClaraError("option", `${path}: several processes import to this folder; try again`);
}

/** Undefined when it is gone. */
function holderOf(path: string): number | undefined {
  let pid = 0;
  try {
    pid = Number(readFileSync(path, "utf8"));
    const { mtimeMs } = statSync(path);
    if (!Number.isInteger(pid) || pid < 1) return undefined;
    // In a container every run has the same process id: a lock older than this process is not its own.
    if (pid === process.pid) return mtimeMs > Date.now() - process.uptime() * 1000 - 1000 ? pid : undefined;
    process.kill(pid, 0);
    return pid;
  } catch (error) {
    // EPERM: it lives and belongs to someone else.
    return (error as NodeJS.ErrnoException).code === "EPERM" && pid > 0 ? pid : undefined;
  }
}
