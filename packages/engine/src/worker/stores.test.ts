import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, parse, relative } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { checkFinite, createStore, numbersOf } from "./stores.ts";

const folder = mkdtempSync(join(tmpdir(), "clara-stores-"));
afterAll(() => rmSync(folder, { recursive: true }));

/** A safetensors file: the header's length in 8 bytes, the header, the numbers. */
function fileOf(header: unknown, numbers: ArrayLike<number> = [], { announce }: { announce?: bigint } = {}): string {
  const text =
    header instanceof Buffer || typeof header === "string" ? Buffer.from(header) : Buffer.from(JSON.stringify(header));
  const start = Buffer.alloc(8);
  start.writeBigUInt64LE(announce ?? BigInt(text.length));
  return write("weights.safetensors", Buffer.concat([start, text, Buffer.from(Float32Array.from(numbers).buffer)]));
}

function write(name: string, content: string | Buffer): string {
  writeFileSync(join(folder, name), content);
  return join(folder, name);
}

const entry = (shape: readonly number[], from: number, to: number, dtype = "F32"): object => ({
  dtype,
  shape,
  data_offsets: [from, to],
});

describe("a store over a file", () => {
  it("knows each tensor's place, wherever the file is, and reads it", async () => {
    const header = { __metadata__: { format: "pt" }, w: entry([2, 2], 0, 16), ids: entry([1], 16, 20, "I32") };
    const path = fileOf(header, [1, 2, 3, 4, 5]);
    const store = await createStore({ file: path }, false);
    const { root } = parse(path);
    const start = 8 + JSON.stringify(header).length;
    expect(store.get("w")).toEqual({
      shape: [2, 2],
      dtype: "float32",
      trainable: false,
      file: { folder: root, location: relative(root, path), offset: start, length: 16 },
    });
    expect([...store.keys()]).toEqual(["w", "ids"]);
    expect(await numbersOf(store.get("w")!)).toEqual(Float32Array.of(1, 2, 3, 4));
    expect(await numbersOf(store.get("ids")!)).toEqual(new Int32Array(Float32Array.of(5).buffer));
    writeFileSync(path, "");
    await expect(numbersOf(store.get("w")!)).rejects.toMatchObject({
      code: "weights",
      message: expect.stringMatching(/it has become shorter/),
    });
    rmSync(path);
    await expect(numbersOf(store.get("w")!)).rejects.toMatchObject({ code: "io" });
  });

  it.each<[string, () => string, RegExp]>([
    ["that is empty", () => write("empty", ""), /empty: its 0 bytes begin with no header/],
    ["of 7 bytes", () => write("7", "1234567"), /its 7 bytes begin with no header/],
    [
      "of another format",
      () => fileOf("PK", [1, 2, 3], { announce: 0x04034b50_504b0304n }),
      /it is not a safetensors file/,
    ],
    [
      "cut off in its header",
      () => fileOf({ w: entry([1], 0, 4) }, [], { announce: 400n }),
      /begin with no header.*or cut off/,
    ],
    ["whose header is no JSON", () => fileOf("{ w: 1 }"), /header is not a JSON record/],
    ["whose header is a list", () => fileOf([1, 2]), /header is not a JSON record/],
    ["whose header is not UTF-8", () => fileOf(Buffer.from('{ "é": {} }', "latin1")), /header is not a JSON record/],
    [
      "with an entry that is none",
      () => fileOf({ w: null }),
      /entry of w must have dtype, shape and data_offsets, got null/,
    ],
    ["with an entry without offsets", () => fileOf({ w: { dtype: "F32", shape: [1] } }), /entry of w must have/],
    ["with half a size", () => fileOf({ w: entry([1.5], 0, 6) }), /entry of w must have/],
    [
      "of half precision",
      () => fileOf({ w: entry([2], 0, 4, "F16") }, [1]),
      /w is F16, and only F32 and I32 can be mapped/,
    ],
    ["with an empty tensor", () => fileOf({ w: entry([0, 3], 0, 0) }), /w \[0,3\] has no numbers/],
    [
      "whose offsets do not fit a shape",
      () => fileOf({ w: entry([2], 4, 8) }, [1, 2]),
      /w \[2\] takes 8 bytes, and the header gives it 4 \(4 to 8\)/,
    ],
    [
      "that is cut off",
      () => fileOf({ w: entry([3], 0, 12) }, [1, 2]),
      /w ends at byte \d+, and the file has \d+: it is cut off/,
    ],
  ])("refuses one %s", async (_, path, reason) => {
    await expect(createStore({ file: path() }, false)).rejects.toMatchObject({
      name: "ClaraError",
      code: "weights",
      message: expect.stringMatching(reason),
    });
  });

  it("refuses one that is missing or a folder, and one that is to be trained", async () => {
    await expect(createStore({ file: join(folder, "none") }, false)).rejects.toMatchObject({
      code: "io",
      message: `engine.params: ${join(folder, "none")} cannot be read (ENOENT)`,
    });
    await expect(createStore({ file: folder }, false)).rejects.toMatchObject({ code: "io" });
    await expect(createStore({ file: "w" }, true)).rejects.toMatchObject({ code: "option" });
  });
});

describe("a store over arrays", () => {
  const array = (...shape: number[]): { data: Float32Array; shape: number[] } => ({
    data: new Float32Array(shape.reduce((a, b) => a * b, 1)).fill(shape.length),
    shape,
  });

  it("keeps the arrays and their types; only float32 can be trained", async () => {
    const w = array(2);
    const store = await createStore({ arrays: { w, b: { data: new Uint8Array(1), shape: [] } } }, false);
    expect(store.get("w")!.data).toBe(w.data);
    expect([...store.values()].map(({ dtype }) => dtype)).toEqual(["float32", "bool"]);
    expect((await createStore({ arrays: { w } }, true)).get("w")).toMatchObject({ data: w.data, trainable: true });
    const ids = { data: Int32Array.of(1), shape: [1] };
    await expect(createStore({ arrays: { ids } }, true)).rejects.toThrow(
      "only float32 can be trained, and ids is int32",
    );
  });

  it("finds the first number that is not finite", () => {
    for (const bad of [NaN, Infinity, -Infinity]) {
      expect(() => checkFinite("here", "w", Float32Array.of(0, 1, bad, NaN))).toThrow(
        `here: number 2 of w (of 4) is ${bad}; it must be finite`,
      );
    }
    const [most, least] = [3.4028234663852886e38, 1.401298464324817e-45];
    for (let length = 1; length <= 9; length++) {
      const fine = Float32Array.from({ length }, (_, i) => [most, -most, 0, -0, least, 1, -1][i % 7]!);
      checkFinite("here", "w", fine);
      for (let at = 0; at < length; at++) {
        for (const bad of [NaN, Infinity, -Infinity]) {
          expect(() =>
            checkFinite(
              "here",
              "w",
              fine.map((value, i) => (i === at ? bad : value)),
            ),
          ).toThrow(`number ${at} of`);
        }
      }
    }
    checkFinite("here", "w", new Float32Array(0));
    checkFinite("here", "ids", Int32Array.of(1));
  });
});
