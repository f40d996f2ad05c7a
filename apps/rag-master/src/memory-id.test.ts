import { describe, expect, it } from "vitest";
import { documentSideOf } from "./memory-id.ts";

type Tensors = Readonly<Record<string, readonly number[]>>;

/** What turns a document into a memory, and what only asks and reads. */
const documents: Tensors = {
  "embeddings.word_embeddings.weight": [1, 2],
  "compressor.layer.0.output.dense.weight": [3, 4],
  "compressor.bottleneck.weight": [5],
};
const asking: Tensors = {
  "query.layers.0.attention.query.a": [6],
  "reader.layer.0.output.dense.weight": [7],
  "reader.span.weight": [8],
  "memory.up.weight": [9],
};

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

/** A safetensors file with the tensors in the order given: `writeSafetensors` has an order of its own. */
function fileOf(tensors: Tensors, model = "mini+1"): Uint8Array {
  let end = 0;
  const header: Record<string, unknown> = { __metadata__: { model } };
  for (const [name, { length }] of Object.entries(tensors)) {
    header[name] = { dtype: "F32", shape: [length], data_offsets: [end, end + 4 * length] };
    end += 4 * length;
  }
  const text = JSON.stringify(header);
  const head = bytes(text.padEnd(Math.ceil(text.length / 8) * 8));
  const size = new BigUint64Array([BigInt(head.length)]);
  const data = Float32Array.from(Object.values(tensors).flat());
  const parts = [size, head, data].map((part) => new Uint8Array(part.buffer, part.byteOffset, part.byteLength));
  return Uint8Array.from(parts.flatMap((part) => [...part]));
}

function idOf(tensors: Tensors, { tokenizer = "{}", id = "mini+1", config = {} } = {}): string {
  return documentSideOf({ id, config, weights: fileOf(tensors, id), tokenizer: bytes(tokenizer) });
}
const base = idOf({ ...documents, ...asking });

describe("documentSideOf", () => {
  it("is an id that is the same each time", () => {
    expect(base).toMatch(/^memory\+[0-9a-f]{12}$/);
    expect(idOf({ ...documents, ...asking })).toBe(base);
  });

  it("stays when what asks and reads is changed, added or left out, and whatever the model is called", () => {
    for (const name of Object.keys(asking)) {
      expect(idOf({ ...documents, ...asking, [name]: [0.5] }), name).toBe(base);
    }
    expect(idOf(documents)).toBe(base);
    expect(idOf({ ...documents, "query.new": [1], "other.compressor.weight": [2] })).toBe(base);
    expect(idOf({ ...documents, ...asking }, { id: "other+2", config: { calibration: {} } })).toBe(base);
  });

  it("stays when the same tensors lie in another order", () => {
    const turned = Object.fromEntries(Object.entries({ ...documents, ...asking }).reverse());
    expect(fileOf(turned)).not.toEqual(fileOf({ ...documents, ...asking }));
    expect(idOf(turned)).toBe(base);
  });

  it("is another when anything that makes memories is changed, added or left out", () => {
    const ids = new Set([base]);
    let variants = 1;
    for (const [name, values] of Object.entries(documents)) {
      const { [name]: _, ...without } = documents;
      ids.add(idOf({ ...documents, [name]: values.with(-1, 0.5) })).add(idOf(without));
      ids.add(idOf({ ...without, [`${name}.scale`]: values }));
      variants += 3;
    }
    ids.add(idOf({ ...documents, "compressor.layer.1.output.dense.weight": [3, 4] }));
    ids.add(idOf(documents, { tokenizer: '{"vocab":{}}' }));
    for (const config of [{ heads: 2 }, { layers: 2 }, { layerNormEps: 1e-5 }]) ids.add(idOf(documents, { config }));
    expect(ids.size).toBe(variants + 5);
  });
});
