import { spawn } from "node:child_process";
import { once } from "node:events";
import { open, readdir, readFile, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import type { Write } from "./files.ts";
import { openPack } from "./open-pack.ts";
import { contentOf, identity, inFolder, writeWhenFree } from "./testing/sample.ts";
import { writePack, writePackWith } from "./write-pack.ts";

const old = contentOf({ old: "This was here before." });
const next = contentOf({ new: "This comes after it." });

/** Writes normally until the n-th write, which does what the argument does. */
function failingAt(n: number, fail: Write): Write {
  let count = 0;
  return async (file, bytes) => {
    if (++count === n) await fail(file, bytes);
    else await file.writeFile(bytes);
  };
}

const full: Write = async () => {
  throw Object.assign(new Error("ENOSPC: no space left on device, write"), { code: "ENOSPC" });
};

/** Half of the bytes, then the error: what a disk does that runs full. */
const fullHalfWay: Write = async (file, bytes) => {
  await file.writeFile(bytes.subarray(0, bytes.length >> 1));
  await full(file, bytes);
};

describe("a write that fails", () => {
  // Writes of a small pack: documents, passages, memories, bm25, manifest.
  it.each([1, 2, 3, 4, 5])("at step %d leaves the old generation and no other file", (step) =>
    inFolder(async (folder) => {
      await writePack(folder, { identity, content: old });
      const before = await readdir(folder);
      const written = writePackWith(folder, { identity, content: next }, failingAt(step, fullHalfWay));
      await expect(written).rejects.toMatchObject({ name: "ClaraError", code: "io" });
      await expect(written).rejects.toThrow(`writePack: ${folder}: the disk is full: ENOSPC`);
      expect(await readdir(folder)).toEqual(before);
      expect([...(await openPack(folder)).documents.keys()]).toEqual(["old"]);
      await writePack(folder, { identity, content: next });
      expect([...(await openPack(folder)).documents.keys()]).toEqual(["new"]);
    }),
  );

  it("counts all the steps there are", () =>
    inFolder(async (folder) => {
      await writePackWith(folder, { identity, content: next }, failingAt(6, full));
      expect((await openPack(folder)).documents.size).toBe(1);
    }));

  it.skipIf(process.platform !== "linux")("on a disk that is really full is an io error (needs /dev/full)", () =>
    inFolder(async (folder) => {
      const device = await open("/dev/full", "w");
      const write: Write = (_, bytes) => device.writeFile(bytes);
      await expect(writePackWith(folder, { identity, content: next }, write)).rejects.toThrow(
        /the disk is full: ENOSPC/,
      );
      await device.close();
      expect(await readdir(folder)).toEqual([]);
    }),
  );

  it("by the caller's signal stops before the commit", () =>
    inFolder(async (folder) => {
      await writePack(folder, { identity, content: old });
      const stop = new AbortController();
      const write = failingAt(4, async () => stop.abort());
      const written = writePackWith(folder, { identity, content: next, signal: stop.signal }, write);
      await expect(written).rejects.toMatchObject({ code: "aborted" });
      expect([...(await openPack(folder)).documents.keys()]).toEqual(["old"]);
      expect((await readdir(folder)).filter((name) => name.includes("-2."))).toEqual([]);
    }));

  it("because the path is a file says so", () =>
    inFolder(async (folder) => {
      const file = join(folder, "file");
      await writeFile(file, "mine");
      for (const path of [file, join(file, "inside")]) {
        const written = writePack(path, { identity, content: next });
        await expect(written).rejects.toMatchObject({ code: "pack" });
        await expect(written).rejects.toThrow(`writePack: ${path} is, or is inside, a file`);
      }
      expect(await readFile(file, "utf8")).toBe("mine");
    }));

  it("because the folder is another program's, or a newer pack's, leaves it alone", () =>
    inFolder(async (folder) => {
      const path = join(folder, "manifest.json");
      for (const [text, message] of [
        ['{"name":"my web page"}', "this folder is not a pack"],
        ["// not JSON", "this folder is not a pack"],
        ['{"format":"clara-pack","version":3}', "a newer program wrote this pack"],
      ] as const) {
        await writeFile(path, text);
        await expect(writePack(folder, { identity, content: next })).rejects.toThrow(message);
        expect(await readFile(path, "utf8")).toBe(text);
        expect(await readdir(folder)).toEqual(["manifest.json"]);
      }
    }));

  it("before is no reason to fail again: a damaged pack can be replaced", () =>
    inFolder(async (folder) => {
      await writePack(folder, { identity, content: old });
      await writeFile(join(folder, "manifest.json"), "{ torn");
      await writePack(folder, { identity, content: next });
      expect([...(await openPack(folder)).documents.keys()]).toEqual(["new"]);
    }));
});

describe("two writers", () => {
  it("do not mix: the second is told which process is writing", () =>
    inFolder(async (folder) => {
      let second: Promise<unknown> | undefined;
      const write: Write = async (file, bytes) => {
        second ??= writePack(folder, { identity, content: old }).catch((error) => error);
        await second;
        await file.writeFile(bytes);
      };
      await writePackWith(folder, { identity, content: next }, write);
      expect(await second).toMatchObject({ code: "pack" });
      expect(await second).toMatchObject({
        message: `writePack: ${folder} is being written by process ${process.pid} (pack.lock); wait until it is done, or end it`,
      });
      expect([...(await openPack(folder)).documents.keys()]).toEqual(["new"]);
      expect(await readdir(folder)).not.toContain("pack.lock");
    }));

  it("take over a lock whose process is gone, or that is older than a process of the same id", () =>
    inFolder(async (folder) => {
      const path = join(folder, "pack.lock");
      const gone = spawn(process.execPath, ["-e", ""]);
      await once(gone, "exit");
      const yesterday = Date.now() / 1000 - 86_400;
      for (const [text, time] of [
        [`${gone.pid}\n`, undefined],
        [`${process.pid}\n`, yesterday],
        ["", yesterday],
        ["garbage", yesterday],
      ] as const) {
        await writeFile(path, text);
        if (time) await utimes(path, time, time);
        await writePack(folder, { identity, content: next });
        expect((await readdir(folder)).filter((name) => name.startsWith("pack.lock"))).toEqual([]);
      }
    }));

  it("respect a lock that is only just being taken", () =>
    inFolder(async (folder) => {
      await writeFile(join(folder, "pack.lock"), "");
      await expect(writePack(folder, { identity, content: next })).rejects.toThrow(
        /is being written by process unknown/,
      );
    }));
});

describe("kill -9", () => {
  it(
    "at any moment leaves a pack that opens, with one generation's text throughout",
    () =>
      inFolder(async (folder) => {
        const program = fileURLToPath(new URL("./testing/commit-repeatedly.ts", import.meta.url));
        let random = 12345;
        for (let round = 0; round < 5; round++) {
          const child = spawn(process.execPath, ["--conditions=@clara/source", program, folder], {
            stdio: ["ignore", "pipe", "inherit"],
          });
          await Promise.race([once(child.stdout, "data"), once(child, "exit")]);
          expect(child.exitCode).toBeNull();
          random = (random * 1103515245 + 12345) % 2 ** 31;
          await wait(random % 40);
          const gone = once(child, "exit");
          child.kill("SIGKILL");
          await gone;
          const pack = await openPack(folder, { expect: identity });
          const written = new Set([...pack.documents.values()].map(({ text }) => text));
          expect([...written]).toEqual([`${pack.manifest.createdBy} has this text`]);
          expect(pack.documents.size).toBe(20);
        }
        // The last child's lock is stale now: the next writer takes it, and removes what was left half done.
        await writeWhenFree(folder, { identity, content: next });
        expect(await readdir(folder)).toHaveLength(5);
      }),
    60_000,
  );
});
