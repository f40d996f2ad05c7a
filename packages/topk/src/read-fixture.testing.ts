import { existsSync, readFileSync } from "node:fs";
import { tf } from "@clara/tensor";

const folder = new URL("../../../../shared/fixtures/clara-tiny/", import.meta.url);

/** The reference's recorded values lie beside the repository, and not on every machine. */
export const haveFixtures: boolean = existsSync(folder);

export function readJson<T>(name: string): T {
  return JSON.parse(readFileSync(new URL(`${name}.json`, folder), "utf8"));
}

/** All float32 tensors of a safetensors file: length of the header (8 bytes), JSON header, data. */
export function readTensors(name: string): (key: string) => tf.Tensor {
  const file = readFileSync(new URL(`${name}.safetensors`, folder));
  const start = 8 + Number(file.readBigUInt64LE());
  const header = JSON.parse(file.toString("utf8", 8, start));
  return (key) => {
    const [from, to] = header[key].data_offsets;
    // A copy, because the file's bytes need not be aligned to four.
    return tf.tensor(
      new Float32Array(new Uint8Array(file.subarray(start + from, start + to)).buffer),
      header[key].shape,
    );
  };
}
