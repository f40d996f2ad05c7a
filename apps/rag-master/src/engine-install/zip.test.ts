import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { makeZip } from "./testing/make-wheel.ts";
import { openZip } from "./zip.ts";

let folder = "";
let path = "";
const long = "to and fro ".repeat(500_000);

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "clara-zip-"));
  path = join(folder, "a.zip");
  writeFileSync(path, makeZip({ "a/one.txt": "one", "a/": "", "b.stored": "as it is", "empty.stored": "", long }));
});
afterAll(() => rmSync(folder, { recursive: true }));

/** The archive with some of its bytes changed. */
function changed(change: (bytes: Buffer) => Buffer): string {
  const file = join(folder, "changed.zip");
  writeFileSync(file, change(readFileSync(path)));
  return file;
}

describe("openZip", () => {
  it("lists files, not folders, and reads them packed, stored and empty", async () => {
    const zip = await openZip(path);
    expect(zip.entries.map(({ name, size }) => [name, size])).toEqual([
      ["a/one.txt", 3],
      ["b.stored", 8],
      ["empty.stored", 0],
      ["long", long.length],
    ]);
    expect(await Promise.all(zip.entries.slice(0, 3).map((entry) => zip.text(entry)))).toEqual(["one", "as it is", ""]);
    await zip.close();
  });

  it("writes a file below folders that it makes, and never over another", async () => {
    const zip = await openZip(path);
    const to = join(folder, "deep/er/long.txt");
    await zip.extract(zip.entries[3]!, to);
    expect(readFileSync(to, "utf8") === long).toBe(true);
    await expect(zip.extract(zip.entries[0]!, to)).rejects.toThrow("EEXIST");
    await expect(zip.extract(zip.entries[0]!, join(folder, "x"), AbortSignal.abort())).rejects.toThrow();
    await zip.close();
  });

  it("notices bytes that are not those that were packed", async () => {
    // Inside "as it is", and inside the packed data of "one".
    for (const [index, at] of [
      [1, readFileSync(path).indexOf("as it is")],
      [0, readFileSync(path).indexOf("a/one.txt") + 9],
    ] as const) {
      const zip = await openZip(
        changed((bytes) => {
          bytes[at] = bytes[at]! ^ 0x40;
          return bytes;
        }),
      );
      await expect(zip.text(zip.entries[index]!)).rejects.toMatchObject({
        code: "input",
        message: expect.stringMatching(/is not a whole zip archive \((b\.stored|a\/one\.txt)\); download it again/),
      });
      await zip.close();
    }
  });

  it.each<[string, () => string]>([
    ["is cut off", () => changed((bytes) => bytes.subarray(0, bytes.length - 30))],
    ["is empty", () => changed(() => Buffer.alloc(0))],
    ["is something else", () => changed(() => Buffer.from("<html>not found</html>"))],
    ["has lost its middle", () => changed((bytes) => Buffer.concat([bytes.subarray(0, 50), bytes.subarray(-22)]))],
    ["is not there", () => join(folder, "absent.zip")],
  ])("refuses a file that %s", async (_, make) => {
    await expect(openZip(make())).rejects.toMatchObject({ name: "ClaraError", code: "input" });
  });
});
