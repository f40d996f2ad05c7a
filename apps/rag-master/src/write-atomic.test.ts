import { readFileSync, writeFileSync } from "node:fs";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { writeAtomic } from "./write-atomic.ts";

let folder = "";
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "clara-write-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

describe("writeAtomic", () => {
  it("writes bytes and texts, in place of what was there", async () => {
    const path = join(folder, "a");
    await writeAtomic(path, new Uint8Array([1, 2]));
    await writeAtomic(path, "naïve");
    expect(readFileSync(path, "utf8")).toBe("naïve");
  });

  it("keeps what was there, and no half file beside it, when the disk is full", async () => {
    const path = join(folder, "b");
    writeFileSync(path, "old");
    const full = async (file: { write(bytes: Uint8Array): Promise<unknown> }, bytes: Uint8Array): Promise<never> => {
      await file.write(bytes.subarray(0, 2));
      throw Object.assign(new Error("ENOSPC: no space left on device, write"), { code: "ENOSPC" });
    };
    await expect(writeAtomic(path, "newer", full)).rejects.toMatchObject({
      code: "io",
      message: expect.stringMatching(/b \(5 bytes\): cannot be written: the disk is full .*make room/),
    });
    expect(readFileSync(path, "utf8")).toBe("old");
    expect(await readdir(folder)).not.toContain("b.tmp");
  });

  it("says where the file system refuses", async () => {
    await expect(writeAtomic(join(folder, "no/such/c"), "x")).rejects.toMatchObject({
      code: "io",
      message: expect.stringMatching(/no\/such\/c \(1 bytes\): cannot be written: ENOENT/),
    });
  });
});
