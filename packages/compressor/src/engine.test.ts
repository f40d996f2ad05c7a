import { existsSync, readFileSync } from "node:fs";
import type { Memory, Weights } from "@clara/core";
import { createEncoder, type Encoder } from "@clara/engine";
import { readWeights, type Tokenizer, wordPiece } from "@clara/model";
import { afterAll, describe, expect, it } from "vitest";
import { type Compressor, createCompressor } from "./compressor.ts";
import { dequantizeMemory, quantizeMemory } from "./quantize.ts";
import { windowScores } from "./scores.ts";

const encoders: Encoder[] = [];

afterAll(async () => {
  for (const encoder of encoders) await encoder.dispose();
});

describe("a compressor on the engine", () => {
  it("gives the same memories alone and in batches with padding", async () => {
    const encoder = await createEncoder({
      weights: sines(),
      layers: 1,
      heads: 2,
      prefix: { embeddings: "embeddings", layer: "layer" },
      threads: 1,
    });
    encoders.push(encoder);
    const characters: Tokenizer = {
      id: "characters",
      cls: 1,
      sep: 2,
      pad: 0,
      unknown: 3,
      encode: (text) => ({
        ids: Int32Array.from(text, (character) => (character.charCodeAt(0) % 16) + 4),
        starts: Uint32Array.from(text, (_, i) => i),
        ends: Uint32Array.from(text, (_, i) => i + 1),
      }),
    };
    const compressor = createCompressor({ encoder, tokenizer: characters, maxTokens: 16 });
    const passages = ["", "a", "some words", "a passage that is longer than one sequence can be"].map((text) => ({
      text,
    }));
    await expectSame(compressor, passages, 1e-4);
  });
});

const shared = new URL("../../../../shared/models/all-MiniLM-L6-v2/", import.meta.url);

describe("a compressor on all-MiniLM-L6-v2", () => {
  it.skipIf(!existsSync(shared))(
    "gives the published sentence embeddings, and memories that survive int8 (needs ../shared/models)",
    async () => {
      const read = (name: string) => readFileSync(new URL(name, shared));
      const json = (name: string) => JSON.parse(read(name).toString());
      const encoder = await createEncoder({
        weights: readWeights(read("model.safetensors")),
        layers: 6,
        heads: 12,
        prefix: { embeddings: "embeddings", layer: "encoder.layer" },
      });
      encoders.push(encoder);
      const compressor = createCompressor({ encoder, tokenizer: wordPiece(json("tokenizer.json")) });

      const golden = readWeights(read("golden.safetensors"));
      const texts = json("golden.json") as { text: string; ids: number[] }[];
      for (const [i, { text, ids }] of texts.entries()) {
        if (ids.length >= 256) continue; // the golden embedding is of the first 256 tokens
        const vector = await compressor.query(text);
        const cosine = vector.reduce((sum, x, d) => sum + x * golden[`embedding.${i}`]!.data[d]!, 0);
        expect(cosine, text.slice(0, 40)).toBeGreaterThan(0.99999);
      }

      const passages = texts.slice(0, 12).map(({ text }) => ({ text, title: "Golden texts" }));
      const memories = await expectSame(compressor, passages, 1e-4);
      for (const memory of memories) {
        const back = dequantizeMemory(quantizeMemory(memory));
        for (let m = 0; m < memory.count; m++) {
          const vector = memory.vectors.subarray(m * 384, (m + 1) * 384);
          expect(windowScores(vector, back)[m]).toBeGreaterThan(0.9999);
        }
      }
    },
  );
});

/** Compresses alone, in small and in large batches; the memories may differ by `tolerance`. */
async function expectSame(compressor: Compressor, passages: readonly { text: string }[], tolerance: number) {
  const alone: Memory[] = [];
  for (const passage of passages) alone.push(...(await compressor.compress([passage], { rate: 4 })));
  for (const batchTokens of [100, 4096]) {
    const together = await compressor.compress(passages, { rate: 4, batchTokens });
    for (const [i, memory] of together.entries()) {
      const { vectors, ...rest } = memory;
      expect({ ...rest, vectors: alone[i]!.vectors }).toEqual(alone[i]);
      const worst = vectors.reduce((most, x, j) => Math.max(most, Math.abs(x - alone[i]!.vectors[j]!)), 0);
      expect(worst).toBeLessThan(tolerance);
    }
  }
  return alone;
}

function sines(): Weights {
  const shapes: [string, number[]][] = [
    ["embeddings.word_embeddings.weight", [20, 8]],
    ["embeddings.position_embeddings.weight", [16, 8]],
    ["embeddings.token_type_embeddings.weight", [2, 8]],
    ...["embeddings.LayerNorm", "layer.0.attention.output.LayerNorm", "layer.0.output.LayerNorm"].flatMap((n) =>
      dense(n, [8]),
    ),
    ...["self.query", "self.key", "self.value", "output.dense"].flatMap((n) => dense(`layer.0.attention.${n}`, [8, 8])),
    ...dense("layer.0.intermediate.dense", [16, 8]),
    ...dense("layer.0.output.dense", [8, 16]),
  ];
  const size = (shape: readonly number[]) => shape.reduce((a, b) => a * b);
  return Object.fromEntries(
    shapes.map(([name, shape]) => [
      name,
      { shape, data: Float32Array.from({ length: size(shape) }, (_, i) => Math.sin(i + name.length)) },
    ]),
  );
}

function dense(name: string, shape: number[]): [string, number[]][] {
  return [
    [`${name}.weight`, shape],
    [`${name}.bias`, [shape[0]!]],
  ];
}
