import { describe, expect, it } from "vitest";
import { concat, dict, six, tensor, utf8 } from "./torch-file.testing.ts";
import { readTorchFile } from "./torch-file.ts";
import { writeZip } from "./torch-zip.ts";

describe("readTorchFile", () => {
  it("passes over the members that newer versions of torch add, wherever they stand", () => {
    const pickle = Uint8Array.from(concat([0x80, 2], dict(["a", tensor({})]), [0x2e]));
    const bytes = writeZip([
      ["archive/.format_version", utf8("1")],
      ["archive/data.pkl", pickle],
      ["archive/.storage_alignment", utf8("64")],
      ["archive/byteorder", utf8("little")],
      ["archive/data/0", six],
      ["archive/version", utf8("3\n")],
      ["archive/.data/serialization_id", utf8("0123456789")],
    ]);
    expect(readTorchFile(bytes).a!.data).toEqual(Float32Array.of(0, 1, 2, 3, 4, 5));
  });
});
