import { existsSync, readFileSync } from "node:fs";
import { readSafetensors, readTorchFile, toFloat32 } from "@clara/model";
import { describe, expect, it } from "vitest";
import { promptEmbeddings, tableRows } from "./prompt-embeddings.ts";

const fixtures = new URL("../../../../../shared/fixtures/clara-tiny/", import.meta.url);
const shared = existsSync(fixtures);

describe("promptEmbeddings", () => {
  // Words 0 to 4 as [id, -id]; memory tokens 5 and 6, separator 7.
  const table = { shape: [8, 2], data: Float32Array.from({ length: 16 }, (_, i) => (i % 2 ? -1 : 1) * (i >> 1)) };
  const [first, second] = [Float32Array.of(10, 11, 12, 13), Float32Array.of(20, 21, 22, 23)];
  const place = (ids: readonly number[], memories = [first, second], row = tableRows(table)) =>
    promptEmbeddings({ ids, row, memories, memoryTokens: 2, firstMemoryId: 5, width: 2 });

  it("puts memory j in the place of the j-th run of memory tokens, and leaves the rest", () => {
    expect([...place([1, 5, 6, 7, 5, 6, 7, 4])]).toEqual([1, -1, 10, 11, 12, 13, 7, -7, 20, 21, 22, 23, 7, -7, 4, -4]);
    expect([...place([5, 6, 5, 6])]).toEqual([...first, ...second]);
    expect([...place([3, 0], [])]).toEqual([3, -3, 0, -0]);
  });

  it("asks for no row of a memory token, and for rows of other tables", () => {
    const asked: number[] = [];
    place([2, 5, 6, 7], [first], (id) => {
      asked.push(id);
      return Float32Array.of(0, 0);
    });
    expect(asked).toEqual([2, 7]);
  });

  it("refuses prompts whose places are not those of the memories", () => {
    expect(() => place([1, 5, 6, 7])).toThrow("the prompt has places for 1 memories, got 2");
    expect(() => place([5, 6, 5, 6, 5, 6])).toThrow("the prompt has places for 3 memories, got 2");
    expect(() => place([5, 7, 5, 6])).toThrow("token 1 is id 7, expected memory token 1");
    expect(() => place([6, 5])).toThrow("token 0 is memory token 1, expected memory token 0");
    expect(() => place([5, 5, 6])).toThrow("token 1 is memory token 0, expected memory token 1");
    expect(() => place([1, 5, 6, 5])).toThrow("the prompt ends before memory token 1; was it cut?");
    expect(() => place([])).toThrow("at least one token");
  });

  it("refuses memories and tables of another shape, and ids without a row", () => {
    expect(() => place([5, 6], [Float32Array.of(1)])).toThrow("memory 0 must be [2, 2] = 4 numbers, got 1");
    expect(() => place([1, 8], [])).toThrow("token 1 has id 8, and the table has no such row");
    expect(() => place([1], [], () => new Float32Array(3))).toThrow("the row of id 1 must be [2], got 3 numbers");
    expect(() => tableRows({ shape: [3, 2], data: new Float32Array(5) })).toThrow("got [3, 2] with 5 numbers");
  });

  it.skipIf(!shared).each([
    ["stage1-qa", "rate8/stage1", "memory"],
    ["stage1-paraphrase", "rate8/stage1", "memory"],
    ["stage1-qa-rate20", "rate20/stage1", "memory"],
    ["stage1_2", "rate8/stage1_2", "memory"],
    ["stage2", "rate8/stage2", "selected"],
  ])("gives what the reference gives its decoder in %s (needs ../shared/fixtures)", (name, checkpoint, given) => {
    const file = (path: string) => readFileSync(new URL(path, fixtures));
    const { memory_tokens, memory_token_ids, dec } = JSON.parse(file(`forward/${name}.json`).toString());
    const { tensors } = readSafetensors(file(`forward/${name}.safetensors`));
    const layers = readTorchFile(file(`checkpoints/${checkpoint}/decoder_first_last_layers.pth`));
    const row = tableRows(layers["model.embed_tokens.weight"]!);
    const expected = toFloat32(tensors.inputs_embeds!);
    const [B, T, D] = tensors.inputs_embeds!.shape as [number, number, number];
    const all = toFloat32(tensors[given]!);
    const size = memory_tokens * D;
    const k = all.length / size / B;
    const rows: number[][] = dec.input_ids;
    for (const [b, ids] of rows.entries()) {
      const memories = Array.from({ length: k }, (_, j) => all.subarray((b * k + j) * size, (b * k + j + 1) * size));
      const options = { row, memories, memoryTokens: memory_tokens, firstMemoryId: memory_token_ids[0], width: D };
      expect(promptEmbeddings({ ids, ...options })).toEqual(expected.slice(b * T * D, (b + 1) * T * D));
    }
  });
});
