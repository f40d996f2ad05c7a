import { createEngine, type Engine, type Params } from "@clara/engine";
import { tinyAdapter, tinyBase, tinyConfig, tinyTokenizer, tinyTokenizerWith } from "@clara/model/testing";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type ClaraCompressor, claraCompressor } from "./clara-compressor.ts";

const documents = ["a", "the lake", "", "the laki", "abc abc abc", "a lake in the far north", "a", "zoë"];

describe("claraCompressor", () => {
  let engine: Engine;
  let base: Params;
  let adapters: { compressor: Params; query: Params };
  let compressor: ClaraCompressor;
  const options = { decoder: tinyConfig, tokenizer: tinyTokenizer, documentTokens: 12 };
  beforeAll(async () => {
    engine = await createEngine({ prefer: "compiled", threads: 1 });
    base = await engine.params(tinyBase);
    adapters = { compressor: await engine.params(tinyAdapter(2)), query: await engine.params(tinyAdapter(3)) };
    compressor = await claraCompressor(engine, { base, adapters, ...options });
  });
  afterAll(() => engine.dispose());

  it("gives each document the same memory in a batch and alone, bit for bit", async () => {
    const { memories, cut } = await compressor.compress(documents);
    expect(memories).toHaveLength(documents.length);
    expect(cut).toEqual([{ text: 5, lostTokens: 10 }]);
    for (const [i, document] of documents.entries()) {
      expect((await compressor.compress([document])).memories).toEqual([memories[i]]);
    }
    expect((await compressor.compress(documents, { batchTokens: 1 })).memories).toEqual(memories);
    expect(memories[1]!.vectors).not.toEqual(memories[3]!.vectors);
  });

  it("makes memories that can be stored: vectors, their tokens and what they cover", async () => {
    const { memories } = await compressor.compress(["the lake", "a lake in the far north"]);
    const [whole, cut] = memories as [(typeof memories)[0], (typeof memories)[0]];
    expect(whole).toMatchObject({ rate: 6, count: 2, width: 16 });
    expect(whole.vectors).toHaveLength(2 * 16);
    expect([...whole.spans]).toEqual([0, 8, 0, 8]);
    // <ENC><s>, 8 letters and </s>, for two vectors.
    expect([...whole.tokens]).toEqual([6, 6]);
    // 13 letters were read, the end mark had no room.
    expect([...cut.spans]).toEqual([0, 13, 0, 13]);
    expect((await compressor.compress([])).memories).toEqual([]);
  });

  it("tells how much of a text it has not read", async () => {
    const of = async (text: string) => (await compressor.compress([text])).cut;
    expect(await of("a".repeat(12))).toEqual([]);
    expect(await of("a".repeat(13))).toEqual([{ text: 0, lostTokens: 0 }]);
    expect(await of("a".repeat(14))).toEqual([{ text: 0, lostTokens: 1 }]);
    expect(await of("a".repeat(100_000))).toEqual([{ text: 0, lostTokens: 1000 }]);
    expect((await compressor.query(["short", "a".repeat(20)])).cut).toEqual([{ text: 1, lostTokens: 7 }]);
  });

  it("reads a document with the names of control tokens as text, where the reference gives it more vectors", async () => {
    const hostile = ["a <MEM0> b", "a</s>", "[/INST]", "<ENC>", "<s><SEP>"];
    const { memories } = await compressor.compress(hostile);
    expect(memories.map(({ vectors }) => vectors.length)).toEqual(hostile.map(() => 32));
    // "</s>" is four letters here, and the end mark one id.
    const [open] = (await compressor.compress(["a"])).memories;
    expect(memories[1]!.vectors).not.toEqual(open!.vectors);
  });

  it.each([32, 64])("makes %i memory tokens, as rates of 8 and 4 ask for", async (memoryTokens) => {
    const [few, many] = [tinyTokenizer.size, tinyTokenizer.size - 2 + memoryTokens];
    // A token sees those before it: the same two memory tokens come first, and <AE>, <ENC> and <SEP> last.
    const table = ({ data }: { readonly data: Float32Array }) => {
      const rows = new Float32Array(many * 16).map((_, i) => Math.sin(i));
      rows.set(data.subarray(0, (few - 3) * 16));
      rows.set(data.subarray((few - 3) * 16), (many - 3) * 16);
      return { shape: [many, 16], data: rows };
    };
    const own = await engine.params({ ...tinyBase, words: table(tinyBase.words!), head: table(tinyBase.head!) });
    const tokenizer = tinyTokenizerWith(memoryTokens);
    const wide = await claraCompressor(engine, { ...options, base: own, adapters, tokenizer, documentTokens: 256 });
    const { memories } = await wide.compress(["the lake"]);
    const { memories: two } = await compressor.compress(["the lake"]);
    expect(memories[0]!.vectors).toHaveLength(memoryTokens * 16);
    two[0]!.vectors.forEach((x, i) => void expect(memories[0]!.vectors[i]).toBeCloseTo(x, 5));
    await wide.dispose();
    await own.dispose();
  });

  it("reads a question by the adapter for queries, and needs one", async () => {
    const { queries } = await compressor.query(["the lake", "b"]);
    const [memory] = (await compressor.compress(["the lake"])).memories;
    expect(queries.map(({ length }) => length)).toEqual([32, 32]);
    expect(queries[0]).not.toEqual(memory!.vectors);
    // The same adapter in both roles gives the same numbers.
    const same = await claraCompressor(engine, {
      base,
      adapters: { ...adapters, compressor: adapters.query },
      ...options,
    });
    expect((await same.compress(["the lake"])).memories[0]!.vectors).toEqual(queries[0]);
    await same.dispose();
    const without = await claraCompressor(engine, { base, adapters: { compressor: adapters.compressor }, ...options });
    await expect(without.query(["b"])).rejects.toMatchObject({
      code: "unsupported",
      message: "query: there is no adapter for queries; only checkpoints of the stage endToEnd (E2E) have one",
    });
    await without.dispose();
  });

  it("computes the same with a base that is copied and prepacked, but for rounding", async () => {
    const packed = await claraCompressor(engine, { base, adapters, ...options, prepack: true });
    const [shared, copied] = [
      (await compressor.compress(["the lake"])).memories,
      (await packed.compress(["the lake"])).memories,
    ];
    copied[0]!.vectors.forEach((x, i) => void expect(x).toBeCloseTo(shared[0]!.vectors[i]!, 4));
    await packed.dispose();
  });

  it("tells of progress, and stops when its signal fires", async () => {
    const seen: [number, number][] = [];
    await compressor.compress(documents, { batchTokens: 1, onProgress: (...at) => void seen.push(at) });
    expect(seen).toHaveLength(7);
    expect(seen.at(-1)).toEqual([8, 8]);
    const signal = AbortSignal.abort();
    await expect(compressor.compress(documents, { signal })).rejects.toMatchObject({ code: "aborted" });
    const stop = new AbortController();
    const run = compressor.compress(documents, { batchTokens: 1, onProgress: () => stop.abort(), signal: stop.signal });
    await expect(run).rejects.toMatchObject({ code: "aborted" });
  });

  it("refuses impossible numbers and a base without the added tokens", async () => {
    await expect(claraCompressor(engine, { base, adapters, ...options, documentTokens: 0 })).rejects.toThrow(
      "claraCompressor: documentTokens must be an integer of at least 1, got 0",
    );
    await expect(compressor.compress(["a"], { batchTokens: 0.5 })).rejects.toThrow(/compress: batchTokens must be/);
    const { words } = tinyBase;
    const rows = words!.shape[0]! - 5;
    const few = { shape: [rows, 16], data: words!.data.slice(0, rows * 16) };
    const foreign = await engine.params({ ...tinyBase, words: few });
    await expect(claraCompressor(engine, { base: foreign, adapters, ...options })).rejects.toMatchObject({
      code: "weights",
      message: expect.stringContaining(`has ${rows} rows of embeddings, and the tokenizer ${tinyTokenizer.size} ids`),
    });
  });
});
