import { ClaraError } from "@clara/core";
import { describe, expect, it } from "vitest";
import { concat, dict, global, rebuild, six, storage, tensor, text, torchFile, utf8 } from "./torch-file.testing.ts";
import { readTorchFile } from "./torch-file.ts";
import { writeTorchFile } from "./torch-file-writer.ts";

describe("a hostile or damaged file", () => {
  const refuse = (bytes: Uint8Array, message: string | RegExp): void => {
    try {
      readTorchFile(bytes);
    } catch (error) {
      expect(error).toBeInstanceOf(ClaraError);
      expect((error as ClaraError).code).toBe("weights");
      expect((error as ClaraError).message).toMatch(message);
      return;
    }
    expect.unreachable(`expected an error with ${message}`);
  };
  const hostile = (...parts: ArrayLike<number>[]): Uint8Array => torchFile(concat(...parts), six);

  it("cannot name a function: the error says which it was", () => {
    const args = concat([0x58, 4, 0, 0, 0], utf8("true"), [0x85]);
    refuse(hostile(global("os", "system"), args, [0x52]), '"os.system"; only dicts of float tensors are read');
    refuse(hostile(global("builtins", "eval"), args, [0x52]), '"builtins.eval"');
    refuse(hostile(global("torch", "LongStorage")), '"torch.LongStorage"');
    refuse(hostile(global("torch", "FloatStorage\u0000")), "only dicts of float tensors");
    refuse(hostile(text("os"), text("system"), [0x93]), "0x93 (STACK_GLOBAL)");
  });

  it("cannot call what it may name with other arguments", () => {
    refuse(hostile(global("torch", "FloatStorage"), [0x29, 0x52]), "calls torch.FloatStorage with arguments");
    refuse(hostile(global("collections", "OrderedDict"), [0x5d, 0x85, 0x52]), "calls collections.OrderedDict with");
    refuse(hostile(dict(), [0x29, 0x52]), "calls a dict or text with");
  });

  it("cannot use an instruction outside the list", () => {
    refuse(hostile([0x69]), /0x69 .INST. at byte 2/);
    refuse(hostile([0x81]), "NEWOBJ");
    refuse(hostile([0x95, 0, 0, 0, 0, 0, 0, 0, 0]), "FRAME");
    refuse(hostile([0xff]), "0xff at byte");
    refuse(torchFile([0x80, 4, 0x4e, 0x2e], six, { raw: true }), "protocol 4");
  });

  it("cannot claim more than the file has", () => {
    const ten = 10 * 2 ** 30;
    refuse(hostile(dict(["x", tensor({ elements: ten, shape: [ten], strides: [1] })])), `they need ${4 * ten} bytes`);
    refuse(hostile(dict(["x", tensor({ shape: [ten], strides: [0] })])), "the whole file has");
    refuse(hostile(dict(["x", tensor({ shape: [7], strides: [1] })])), "outside of its storage");
    refuse(hostile(dict(["x", tensor({ shape: [2, 3], strides: [4, 1] })])), "outside of its storage");
    refuse(hostile(dict(["x", tensor({ shape: [2, 3], strides: [1] })])), "outside of its storage");
    refuse(hostile(dict(["x", tensor({ shape: [2], strides: [1], offset: 5 })])), "outside of its storage");
    refuse(hostile(dict(["x", tensor({ shape: Array(9).fill(1), strides: Array(9).fill(1) })])), "make no tensor");
    refuse(hostile(dict(["x", tensor({ elements: 5, shape: [5], strides: [1] })])), 'in "data/0", found 24 bytes');
    refuse(hostile(dict(["x", tensor({ key: "1" })])), "no such entry");
    refuse(hostile([0x58, 0xff, 0xff, 0xff, 0xff]), "inside an instruction");
    refuse(hostile([0x8a, 255, 1, 1]), "a number of 255 bytes");
  });

  it("cannot grow or turn in circles", () => {
    // {…: itself}
    refuse(hostile([0x7d, 0x71, 0], text("x"), [0x68, 0, 0x73]), "occurs twice");
    // each dict holds the one before twice: 2^40 leaves
    const laughs = Array.from({ length: 40 }, (_, i) => [
      ...[0x7d, 0x71, i + 1, 0x28],
      ...[...text("a"), 0x68, i, ...text("b"), 0x68, i, 0x75],
    ]);
    refuse(hostile([0x7d, 0x71, 0], ...laughs), /occurs twice|nested more than 16/);
    refuse(hostile(...Array(10_000).fill(concat([0x7d], text("x"))), [0x7d], Array(10_000).fill(0x73)), "nested more");
    refuse(hostile([0x6a, 0xff, 0xff, 0xff, 0xff]), "asks for value 4294967295");
    refuse(hostile([0x72, 0xff, 0xff, 0xff, 0xff]), "not on its stack");
    refuse(hostile([0x28, 0x28, 0x74, 0x74, 0x74]), "no mark");
    refuse(hostile(text("x"), [0x28, 0x86]), "takes more from its stack");
  });

  it("cannot change a shape after it was checked", () => {
    // the shape is a list in the memo, appended to after the tensor was made
    const shape = [0x5d, 0x71, 9, 0x4b, 6, 0x61];
    const made = concat(rebuild, [0x28], storage({}), [0x4b, 0], shape, [0x4b, 1, 0x85, 0x89, 0x7d, 0x74, 0x52]);
    const bytes = hostile(dict(["x", made], ["y", concat([0x68, 9, 0x4b, 200, 0x61])]));
    expect(readTorchFile(bytes).x!.shape).toEqual([6]);
  });

  it("is refused when it holds no dict, several pickles, or numbers of another machine", () => {
    refuse(hostile([0x4e]), "no dict of tensors");
    refuse(hostile(text("x".repeat(2000))), "a text of 2000 bytes");
    refuse(torchFile(dict(), six, { byteorder: "big" }), "big-endian");
    refuse(new TextEncoder().encode("PK nothing"), "do not end like a zip file");
    refuse(Uint8Array.from(concat([0x80, 2], new Uint8Array(500))), "before 1.6");
    refuse(new Uint8Array(0), "0 bytes do not end");
  });

  const sample = writeTorchFile({
    "a/x": { shape: [2, 3], data: Float32Array.of(1, 2, 3, 4, 5, 6) },
    "a/y": { shape: [4], data: Float32Array.of(1, 2, 3, 4), dtype: "BF16" },
    "b/x": { shape: [2], data: Float32Array.of(1, 2), dtype: "F16" },
  });
  const whole = readTorchFile(sample);

  it("is refused when it is cut anywhere", () => {
    for (let length = 0; length < sample.length; length++) refuse(sample.slice(0, length), "readTorchFile");
  });

  it("with any one byte changed is refused or read as it was", () => {
    let refused = 0;
    for (const [at, change] of damages(sample.length)) {
      const bytes = sample.slice();
      bytes[at] = bytes[at]! ^ change;
      try {
        expect(readTorchFile(bytes)).toEqual(whole);
      } catch (error) {
        expect(error).toBeInstanceOf(ClaraError);
        refused++;
      }
    }
    expect(refused).toBeGreaterThan(sample.length / 4);
  });

  it("whose pickle is noise, with its checksum right, is an error that says so", () => {
    const pickle = dict(["x", tensor({})], ["y", dict(["z", tensor({ shape: [2], strides: [3] })])]);
    let read = 0;
    for (const [at, change] of damages(pickle.length, 40)) {
      const bytes = Uint8Array.from(pickle);
      bytes[at] = bytes[at]! ^ change;
      try {
        readTorchFile(torchFile(bytes, six));
        read++; // another name, another shape inside the storage
      } catch (error) {
        expect(error).toBeInstanceOf(ClaraError);
      }
    }
    expect(read).toBeGreaterThan(0);
  });

  /** Every place, changed by seeded bytes. */
  function* damages(length: number, each = 2): Generator<[number, number]> {
    let state = 42;
    for (let at = 0; at < length; at++) {
      for (let i = 0; i < each; i++) {
        state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
        yield [at, 1 + ((state >>> 16) % 255)];
      }
    }
  }
});
