import { existsSync, readdirSync, readFileSync } from "node:fs";
import { crc32 as nodeCrc32 } from "node:zlib";
import { describe, expect, it } from "vitest";
import type { ByteSource } from "./byte-source.ts";
import { crc32 } from "./crc32.ts";
import { concat, dict, global, six, tensor, torchFile } from "./torch-file.testing.ts";
import { openTorchFile, readTorchFile, type TorchTensor } from "./torch-file.ts";
import { writeTorchFile, writeTorchTensor } from "./torch-file-writer.ts";

const fixtures = new URL("../../../../shared/fixtures/clara-tiny/", import.meta.url);
const shared = existsSync(fixtures);
const file = (path: string): Uint8Array => readFileSync(new URL(path, fixtures));

type Expected = { shape: number[]; dtype: string | undefined; values: [number, number] | undefined };
type Listed = {
  adapters: Record<string, Record<string, { shape: number[]; dtype: string }>>;
  first_last: Record<string, number[]>;
  sum_and_absmax: Record<string, [number, number]>;
};
const listed: Record<string, Listed> = shared
  ? JSON.parse(readFileSync(new URL("checkpoints.json", fixtures), "utf8"))
  : { "no checkpoint": {} };
const dtypes: Record<string, string> = { "torch.float32": "F32", "torch.bfloat16": "BF16" };

describe("readTorchFile", () => {
  it.skipIf(!shared).each(Object.keys(listed))("reads every tensor of %s (needs ../shared/fixtures)", (folder) => {
    const { adapters, first_last, sum_and_absmax } = listed[folder]!;
    const expected = Object.fromEntries(
      Object.entries(adapters).flatMap(([adapter, tensors]) =>
        Object.entries(tensors).map(([name, { shape, dtype }]) => [
          `${adapter}/${name}`,
          { shape, dtype: dtypes[dtype], values: sum_and_absmax[`${adapter}/${name}`] },
        ]),
      ),
    );
    const read = readTorchFile(file(`${folder}/adapters.pth`));
    expect(Object.keys(read).sort()).toEqual(Object.keys(expected).sort());
    for (const [name, tensor] of Object.entries(read)) check(name, tensor, expected[name]!);
    const layers = readTorchFile(file(`${folder}/decoder_first_last_layers.pth`));
    expect(Object.keys(layers)).toEqual(Object.keys(first_last));
    for (const [name, { shape, data }] of Object.entries(layers)) {
      expect(shape).toEqual(first_last[name]);
      const copy = read[`decoder_adapter/${name}`];
      if (copy) expect(data).toEqual(copy.data);
    }
  });

  function check(name: string, tensor: TorchTensor, expected: Expected) {
    expect({ name, shape: tensor.shape, dtype: tensor.dtype }).toEqual({
      name,
      shape: expected.shape,
      dtype: expected.dtype,
    });
    const sum = tensor.data.reduce((total, value) => total + value, 0);
    const largest = tensor.data.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
    expect(Math.abs(sum - expected.values![0]!)).toBeLessThan(1e-4);
    expect(Math.abs(largest - expected.values![1]!)).toBeLessThan(1e-7);
  }

  it("reads views with strides and an offset", () => {
    // storage 0 … 5 as [2, 3]; its transpose has strides [1, 3], its second row starts at 3
    const transposed = torchFile(dict(["t", tensor({ shape: [3, 2], strides: [1, 3] })]), six);
    expect(readTorchFile(transposed).t).toEqual({
      shape: [3, 2],
      dtype: "F32",
      data: Float32Array.of(0, 3, 1, 4, 2, 5),
    });
    const row = torchFile(dict(["t", tensor({ shape: [3], strides: [1], offset: 3 })]), six);
    expect(readTorchFile(row).t!.data).toEqual(Float32Array.of(3, 4, 5));
    const scalar = torchFile(dict(["t", tensor({ shape: [], strides: [], offset: 2 })]), six);
    expect(readTorchFile(scalar).t!.data).toEqual(Float32Array.of(2));
  });

  it("gives tensors that share all of their storage the same data", () => {
    const bytes = torchFile(dict(["a", tensor({})], ["b", tensor({})]), six);
    const { a, b } = readTorchFile(bytes);
    expect(a!.data).toBe(b!.data);
  });

  it("reads ordered dicts with attributes, parameters and ignores leaves that are no tensors", () => {
    const ordered = concat(global("collections", "OrderedDict"), [0x29, 0x52], dict(["_metadata", [0x4e]]), [0x62]);
    const parameter = concat(
      global("torch._utils", "_rebuild_parameter"),
      [0x28],
      tensor({}),
      [0x88, 0x7d, 0x74, 0x52],
    );
    const bytes = torchFile(
      dict(["empty", ordered], ["p", parameter], ["epoch", [0x4b, 7]], ["loss", [0x47, 0, 0, 0, 0, 0, 0, 0, 0]]),
      six,
    );
    expect(Object.keys(readTorchFile(bytes))).toEqual(["p"]);
  });
});

describe("openTorchFile", () => {
  /** What was read of the bytes: pairs of offset and length. */
  const counted = (bytes: Uint8Array) => {
    const reads: [offset: number, length: number][] = [];
    const source: ByteSource = {
      size: bytes.length,
      read(offset, length) {
        reads.push([offset, length]);
        return bytes.slice(offset, offset + length);
      },
    };
    return { source, reads };
  };
  const large = Float32Array.from({ length: 50_000 }, (_, i) => i);
  const bytes = writeTorchFile({ a: { shape: [50_000], data: large }, b: { shape: [2], data: Float32Array.of(3, 4) } });

  it("reads a tensor when it is asked for, and no byte of the others", () => {
    const { source, reads } = counted(bytes);
    const { a, b } = openTorchFile(source);
    expect([a!.shape, a!.dtype, b!.shape]).toEqual([[50_000], "F32", [2]]);
    const before = reads.length;
    expect([...new Float32Array(new Uint8Array(b!.read()).buffer)]).toEqual([3, 4]);
    expect(reads.slice(before).reduce((sum, [, length]) => sum + length, 0)).toBeLessThan(100);
    expect([...new Float32Array(new Uint8Array(a!.read()).buffer)]).toEqual([...large]);
  });

  it("verifies the checksum of what is read", () => {
    const damaged = bytes.slice();
    const { a } = openTorchFile(counted(damaged).source);
    damaged[Math.floor(bytes.length / 2)]! ^= 1;
    expect(() => a!.read()).toThrow(/does not match its checksum/);
  });

  it("refuses a tensor whose bytes are not there before anything is read", () => {
    const cut = bytes.slice(0, -4);
    expect(() => openTorchFile(counted(cut).source)).toThrow(/do not end like a zip file/);
  });
});

describe("writeTorchFile", () => {
  const numbers = Float32Array.of(0, -0, 1, -2.5, 1 / 3, 65_504, 1e-7, 3.4e38, Number.NaN, Number.POSITIVE_INFINITY);

  it("writes what readTorchFile reads: names, shapes, order and numbers", () => {
    const tensors = {
      "decoder_adapter/model.layers.0.lora_A.weight": { shape: [2, 5], data: numbers },
      "decoder_adapter/model.layers.0.lora_B.weight": { shape: [10], data: numbers, dtype: "BF16" as const },
      "encoder_adapter/é": { shape: [0, 3], data: new Float32Array(0) },
      __proto__name: { shape: [], data: Float32Array.of(7) },
    };
    const read = readTorchFile(writeTorchFile(tensors, { name: "adapters" }));
    expect(Object.keys(read)).toEqual(Object.keys(tensors));
    expect(read["decoder_adapter/model.layers.0.lora_A.weight"]).toEqual({
      shape: [2, 5],
      data: numbers,
      dtype: "F32",
    });
    expect(read["encoder_adapter/é"]).toEqual({ shape: [0, 3], data: new Float32Array(0), dtype: "F32" });
    expect(writeTorchFile(tensors)).toEqual(writeTorchFile(tensors));
  });

  it("rounds bfloat16 to the nearest, ties to even", () => {
    // bfloat16 has 8 significant bits: 1 + 2^-7 is the next after 1
    const data = Float32Array.of(1, 1 + 2 ** -8, 1 + 3 * 2 ** -8, 1 + 2 ** -8 + 2 ** -20, 3.4e38, Number.NaN);
    const read = readTorchFile(writeTorchFile({ x: { shape: [6], data, dtype: "BF16" } })).x!;
    expect([...read.data]).toEqual([1, 1, 1 + 2 ** -6, 1 + 2 ** -7, Number.POSITIVE_INFINITY, Number.NaN]);
  });

  it("rounds float16 to the nearest, ties to even, down to its smallest number", () => {
    const data = Float32Array.of(
      65_519,
      65_520,
      2 ** -24,
      2 ** -25,
      3 * 2 ** -25,
      1 + 2 ** -11,
      -(2 ** -14),
      Number.NaN,
    );
    const read = readTorchFile(writeTorchFile({ x: { shape: [8], data, dtype: "F16" } })).x!;
    const expected = [65_504, Number.POSITIVE_INFINITY, 2 ** -24, 0, 2 ** -23, 1, -(2 ** -14), Number.NaN];
    expect([...read.data]).toEqual(expected);
  });

  it("keeps every float16 and bfloat16", () => {
    for (const dtype of ["F16", "BF16"] as const) {
      const all = Uint16Array.from({ length: 65_536 }, (_, i) => i);
      const place = new Uint8Array(all.buffer);
      const once = readTorchFile(
        torchFile(dict(["x", tensor({ dtype, elements: 65_536, shape: [65_536], strides: [1] })]), place),
      ).x!.data;
      const again = readTorchFile(writeTorchFile({ x: { shape: [65_536], data: once, dtype } })).x!.data;
      expect(again).toEqual(once);
    }
  });

  it("stores tensors with the same data once", () => {
    const data = new Float32Array(1000).fill(1);
    const one = writeTorchFile({ a: { shape: [1000], data } }).length;
    expect(writeTorchFile({ a: { shape: [1000], data }, b: { shape: [10, 100], data } }).length).toBeLessThan(
      one + 500,
    );
  });

  it("writes one tensor in no dict", () => {
    const tensor = { shape: [2, 3], data: Float32Array.of(1, 2, 3, 4, 5, 6), dtype: "BF16" as const };
    expect(readTorchFile(writeTorchTensor(tensor))).toEqual({ "": tensor });
    expect(() => writeTorchTensor({ ...tensor, shape: [7] })).toThrow("the tensor: [7] needs 7 numbers, got 6");
  });

  it("refuses shapes that do not fit and names that are both tensor and dict", () => {
    const x = { shape: [1], data: Float32Array.of(1) };
    expect(() => writeTorchFile({ x: { shape: [2, 3], data: numbers } })).toThrow("[2, 3] needs 6 numbers, got 10");
    expect(() => writeTorchFile({ a: x, "a/b": x })).toThrow('"a/b" is empty or is both');
    expect(() => writeTorchFile({ "a/b": x, a: x })).toThrow('"a" is empty or is both');
    expect(() => writeTorchFile({ "": x })).toThrow("is empty");
    expect(() => writeTorchFile({ x }, { name: "../x" })).toThrow('got "../x"');
  });

  it.skipIf(!shared)("gives the reference's tensors back unchanged (needs ../shared/fixtures)", () => {
    for (const folder of Object.keys(listed)) {
      for (const name of ["adapters", "decoder_first_last_layers"]) {
        const read = readTorchFile(file(`${folder}/${name}.pth`));
        expect(readTorchFile(writeTorchFile(read, { name }))).toEqual(read);
      }
    }
  });
});

it("crc32 agrees with zlib's", () => {
  for (const length of [0, 1, 7, 8, 9, 63, 1000]) {
    const bytes = Uint8Array.from({ length }, (_, i) => (i * 37 + length) & 255);
    expect(crc32(bytes)).toBe(nodeCrc32(bytes));
  }
});

it.skipIf(!shared)("the fixtures hold ten torch files (needs ../shared/fixtures)", () => {
  const found = readdirSync(fixtures, { recursive: true }).filter((name) => String(name).endsWith(".pth"));
  expect(found.length).toBe(2 * Object.keys(listed).length);
});
