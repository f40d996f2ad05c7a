import { createEngine, type Engine, type Params } from "@clara/engine";
import { haveFixtures, readCheckpoint, readFixture, readJson } from "@clara/model/testing";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type ClaraCompressor, claraCompressor } from "./clara-compressor.ts";
import { textRow } from "./text-rows.ts";

interface Compressed {
  readonly checkpoint: string;
  readonly documents: readonly string[];
  readonly row_limit: number;
  readonly row_tokens_before_truncation: readonly number[];
  readonly input_ids: readonly (readonly number[])[];
  readonly attention_mask: readonly (readonly number[])[];
}

interface Quirks {
  readonly document_with_memory_token_text: { readonly result: readonly number[] };
  readonly document_with_eos_text: { readonly result: readonly [readonly number[]] | readonly number[] };
}

const where = "(needs ../shared/fixtures)";

describe.skipIf(!haveFixtures)(`memories of the reference ${where}`, () => {
  let engine: Engine;
  beforeAll(async () => {
    engine = await createEngine({ prefer: "compiled", threads: 1 });
  });
  afterAll(() => engine.dispose());

  async function open(path: string): Promise<{ compressor: ClaraCompressor } & ReturnType<typeof readCheckpoint>> {
    const checkpoint = readCheckpoint(path);
    const base: Params = await engine.params(checkpoint.base);
    const adapter = async (name: string) => checkpoint.adapters[name] && engine.params(checkpoint.adapters[name]);
    const adapters = {
      compressor: (await adapter("encoder_adapter"))!,
      query: await adapter("query_reasoner_adapter"),
    };
    return { compressor: await claraCompressor(engine, { ...checkpoint, base, adapters }), ...checkpoint };
  }

  it.each(["rate8-stage1", "rate20-stage1", "rate8-stage2"])(
    "are ours: ids, masks, vectors and what was cut, %s",
    async (name) => {
      const fixture = readJson<Compressed>(`compress/${name}.json`);
      const { compressor, tokenizer, documentTokens } = await open(fixture.checkpoint);
      const { memories, cut } = await compressor.compress(fixture.documents);
      const expected = readFixture(`compress/${name}.safetensors`).memory!;
      const [N, M, D] = expected.shape as [number, number, number];
      expect([memories.length, compressor.memoryTokens, compressor.width]).toEqual([N, M, D]);
      let largest = 0;
      for (const [i, document] of fixture.documents.entries()) {
        const mask = fixture.attention_mask[i]!;
        const row = textRow(tokenizer, document, documentTokens);
        // Ours have no padding.
        expect(row.ids).toEqual(fixture.input_ids[i]!.slice(mask.indexOf(1)));
        expect(row.ids).toHaveLength(mask.reduce((a, b) => a + b));
        const over = fixture.row_tokens_before_truncation[i]! - fixture.row_limit;
        expect(row.lostTokens).toBe(over > 0 ? over - 1 : undefined);
        memories[i]!.vectors.forEach((x, at) => {
          largest = Math.max(largest, Math.abs(x - expected.data[i * M * D + at]!));
        });
      }
      expect(cut.map(({ text }) => text)).toEqual(
        fixture.row_tokens_before_truncation.flatMap((tokens, i) => (tokens > fixture.row_limit ? [i] : [])),
      );
      expect(largest).toBeLessThan(1e-4);
    },
  );

  it("retrace the end-to-end step: queries and documents of forward/stage2", async () => {
    type Rows = {
      readonly input_ids: readonly (readonly number[])[];
      readonly attention_mask: readonly (readonly number[])[];
    };
    const { enc, query } = readJson<{ enc: Rows; query: Rows }>("forward/stage2.json");
    const expected = readFixture("forward/stage2.safetensors");
    const { compressor, tokenizer } = await open("checkpoints/rate8/stage2");
    /** The texts behind rows that were not cut. */
    const texts = (rows: Rows) =>
      rows.input_ids.map((ids, i) => tokenizer.decode(ids.slice(rows.attention_mask[i]!.indexOf(1))));
    const differences = (rows: readonly Float32Array[], from: Float32Array) =>
      rows.flatMap((row, i) => [...row].map((x, at) => Math.abs(x - from[i * row.length + at]!)));
    const { memories } = await compressor.compress(texts(enc));
    const { queries } = await compressor.query(texts(query));
    expect(
      Math.max(
        ...differences(
          memories.map(({ vectors }) => vectors),
          expected.memory!.data,
        ),
      ),
    ).toBeLessThan(1e-4);
    expect(Math.max(...differences(queries, expected.query!.data))).toBeLessThan(1e-4);
  });

  it("are more for a text that names <MEM0>, or end early for one that names </s>; ours are not", async () => {
    const quirks = readJson<Quirks>("quirks.json");
    expect(quirks.document_with_memory_token_text.result).toEqual([1, 7, 64]);
    const { compressor, tokenizer, documentTokens } = await open("checkpoints/rate8/stage1");
    const { memories } = await compressor.compress(["a <MEM0> b", "another", "a </s> b"]);
    expect(memories.map(({ vectors }) => vectors.length)).toEqual([6 * 64, 6 * 64, 6 * 64]);
    const ends = (ids: readonly number[]): number => ids.filter((id) => id === tokenizer.eosId).length;
    expect(ends(quirks.document_with_eos_text.result as readonly number[])).toBe(2);
    expect(ends(textRow(tokenizer, "a </s> b", documentTokens).ids)).toBe(1);
  });
});
