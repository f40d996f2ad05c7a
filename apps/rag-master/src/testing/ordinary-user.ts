import { chownSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { isMainThread } from "node:worker_threads";

type AsUser = <T>(folder: string, use: () => Promise<T>) => Promise<T>;

/** Runs `use` as a user whom file modes hold back, the folder being theirs; undefined where that cannot be. */
export const asOrdinaryUser: AsUser | undefined = asUser();

function asUser(): AsUser | undefined {
  const { getuid, seteuid } = process;
  if (process.platform === "win32") return undefined;
  if (getuid?.() !== 0) return (_, use) => use();
  // A thread cannot change its user, a process can.
  if (!seteuid || !isMainThread) return undefined;
  return async (folder, use) => {
    const nobody = 65_534;
    const names = readdirSync(folder, { recursive: true }).map((name) => join(folder, String(name)));
    for (const path of [folder, ...names]) chownSync(path, nobody, nobody);
    seteuid(nobody);
    try {
      return await use();
    } finally {
      seteuid(0);
    }
  };
}
