import { existsSync, readFileSync } from "node:fs";
import { createEngine, type Engine } from "@clara/engine";
import { decoderArrays, parseDecoderConfig, readSafetensors, readWeights } from "@clara/model";
import { tinyAdapter, tinyBase, tinyConfig, tinyTokenizer } from "@clara/model/testing";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { decoderSteps } from "./steps.ts";

const folder = new URL("../../../../../shared/fixtures/decoders/", import.meta.url);
const haveFixtures = existsSync(folder);

let engine: Engine;
beforeAll(async () => {
  engine = await createEngine({ prefer: "compiled", threads: 1 });
});
afterAll(() => engine.dispose());

describe("decoderSteps", () => {
  it("reads vectors in the places of memory tokens: those of words as the words themselves", async () => {
    const { firstMemoryId, memoryTokens, size: vocabulary } = tinyTokenizer;
    const decoder = await engine.decoder({
      ...decoderSteps({ decoder: tinyConfig, memoryTokens, firstMemoryId, vocabulary, loraScale: 2 }),
      params: [await engine.params(tinyBase), await engine.params(tinyAdapter(4))],
      prepack: false,
    });
    const words = tinyBase.words!.data;
    const [D, m] = [tinyConfig.width, firstMemoryId];
    const row = (id: number): number[] => [...words.subarray(id * D, (id + 1) * D)];
    const ids = [1, m, m + 1, 5, m, m + 1, 9];
    const memories = { data: Float32Array.from([20, 21, 22, 23].flatMap(row)), shape: [1, 2, 2, D] };
    const prompt = { ids: { data: Int32Array.from(ids), shape: [1, ids.length] }, memories };
    const options = { maxTokens: 8 };
    const [placed] = await decoder.generateAll([prompt], options);
    expect(await decoder.generateAll([[1, 20, 21, 5, 22, 23, 9]], options)).toEqual([placed]);
    expect(await decoder.generateAll([[1, 22, 23, 5, 20, 21, 9]], options)).not.toEqual([placed]);
    expect(await decoder.generateAll([ids], options)).not.toEqual([placed]);
    await decoder.dispose();
  });

  it.skipIf(!haveFixtures).each(["mistral-sliding", "llama3-rope", "qwen2", "qwen3"])(
    "writes what Hugging Face's %s writes (needs ../shared/fixtures)",
    async (name) => {
      const file = (path: string): Buffer => readFileSync(new URL(`${name}/${path}`, folder));
      const config = parseDecoderConfig(JSON.parse(file("config.json").toString()));
      const { tensors } = readSafetensors(file("expected.safetensors"));
      const numbers = (key: string): number[] => {
        const { dtype, bytes } = tensors[key]!;
        const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
        const long = dtype === "I64";
        return Array.from({ length: bytes.length / (long ? 8 : 4) }, (_, i) =>
          long ? Number(view.getBigInt64(8 * i, true)) : view.getInt32(4 * i, true),
        );
      };
      const base = decoderArrays(readWeights(file("model.safetensors")), config);
      const vocabulary = config.vocabulary;
      const decoder = await engine.decoder({
        ...decoderSteps({ decoder: config, memoryTokens: 1, firstMemoryId: vocabulary, vocabulary, loraScale: 2 }),
        params: await engine.params(base),
        prepack: false,
      });
      const prompt = numbers("input_ids").slice(0, 23);
      const expected = numbers("greedy_ids");
      expect(await decoder.generateAll([prompt], { maxTokens: expected.length })).toEqual([expected]);
      await decoder.dispose();
    },
  );
});
