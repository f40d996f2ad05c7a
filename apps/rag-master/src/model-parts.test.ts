import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { writeSafetensors } from "@clara/model";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { defaultConfig } from "./config/index.ts";
import { loadModel, type Model } from "./model.ts";
import { writeModelFolder } from "./model-folder.ts";

// A model of a few numbers that has every part: what the embedded one has, a bottleneck, a query reasoner and a reader of memories.
const [D, d, inner, P, F] = [8, 3, 12, 128, 2];
const words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "the", "tent", "weighs", "two", "kilos", "what", "."];

let folder = "";
const models: Record<string, Model> = {};
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "clara-parts-"));
  models.full = await load("full", () => true);
  models.titled = await load("titled", () => true, { titledReader: true });
  models.plain = await load("plain", (name) => !/^(?:query|memory)\./.test(name));
  models.wide = await load("wide", (name) => !/^memory\.|bottleneck/.test(name));
});
afterAll(async () => {
  for (const model of Object.values(models)) await model.dispose();
  await rm(folder, { recursive: true, force: true });
});

/** Shapes by name, as a checkpoint has them. */
function shapes(): Record<string, number[]> {
  const layer = (name: string): [string, number[]][] => [
    ...["self.query", "self.key", "self.value", "output.dense"].flatMap((map) =>
      dense(`${name}.attention.${map}`, D, D),
    ),
    ...dense(`${name}.intermediate.dense`, inner, D),
    ...dense(`${name}.output.dense`, D, inner),
    ...norm(`${name}.attention.output.LayerNorm`),
    ...norm(`${name}.output.LayerNorm`),
  ];
  const pointer: Record<string, number[]> = {
    ...{ "wanted.weight": [D, 2 * F + 2], "wanted.bias": [2 * F + 2], "words.weight": [5 * D, F], "words.bias": [F] },
    ...{ match: [5, F], "none.weight": [D, 2], "none.bias": [2] },
  };
  return {
    "embeddings.word_embeddings.weight": [words.length, D],
    "embeddings.position_embeddings.weight": [P, D],
    "embeddings.token_type_embeddings.weight": [2, D],
    ...Object.fromEntries(norm("embeddings.LayerNorm")),
    ...Object.fromEntries(["compressor", "reader", "memory"].flatMap((stack) => layer(`${stack}.layer.0`))),
    ...Object.fromEntries(dense("reader.span", 2, D)),
    "compressor.bottleneck.weight": [D, d],
    "query.layers.0.attention.value.a": [D, 2],
    "query.layers.0.attention.value.b": [2, D],
    ...{ "memory.up.weight": [d, D], "memory.up.bias": [D], "memory.positions": [P, D], "memory.overlap": [1, D] },
    ...{ "memory.norm.gamma": [D], "memory.norm.beta": [D], "memory.window.weight": [D, 1], "memory.window.bias": [1] },
    ...Object.fromEntries(Object.entries(pointer).map(([name, shape]) => [`memory.pointer.${name}`, shape])),
  };
}

function dense(name: string, O: number, I: number): [string, number[]][] {
  return [
    [`${name}.weight`, [O, I]],
    [`${name}.bias`, [O]],
  ];
}

function norm(name: string): [string, number[]][] {
  return [
    [`${name}.weight`, [D]],
    [`${name}.bias`, [D]],
  ];
}

/** The model with the parts that are kept, from a folder of its own. */
async function load(name: string, kept: (tensor: string) => boolean, said: object = {}): Promise<Model> {
  const tensors = Object.entries(shapes()).flatMap(([tensor, shape], seed) => {
    if (!kept(tensor)) return [];
    const least = /LayerNorm\.weight$|gamma$/.test(tensor) ? 1.5 : 0;
    const length = shape.reduce((x, y) => x * y, 1);
    const data = Float32Array.from({ length }, (_, i) => least + Math.sin(7 * seed + 3 * i));
    return [[tensor, { dtype: "F32" as const, shape, bytes: new Uint8Array(data.buffer) }] as const];
  });
  const normalizer = {
    type: "BertNormalizer",
    clean_text: true,
    handle_chinese_chars: true,
    strip_accents: null,
    lowercase: true,
  };
  const tokenizer = {
    added_tokens: [],
    normalizer,
    pre_tokenizer: { type: "BertPreTokenizer" },
    model: { type: "WordPiece", vocab: Object.fromEntries(words.map((word, id) => [word, id])) },
  };
  const shape = { width: D, layers: 1, heads: 2, feedForward: inner, vocabulary: words.length, positions: P };
  await writeModelFolder(join(folder, name), {
    name,
    config: { ...shape, layerNormEps: 1e-12, ...said },
    weights: writeSafetensors(Object.fromEntries(tensors)),
    tokenizer: new TextEncoder().encode(JSON.stringify(tokenizer)),
  });
  const settings = defaultConfig();
  const compression = { ...settings.compression, model: join(folder, name) };
  return loadModel({ ...settings, compression }, { threads: 1 });
}

const text = "The tent weighs two kilos.";
const asked = "What weighs two kilos?";

describe("a model with every part", () => {
  it("has memories and questions as narrow as its bottleneck, and one without has them as wide as its states", async () => {
    for (const [model, width] of [
      [models.full!, d],
      [models.wide!, D],
    ] as const) {
      const [memory] = await model.compressor.compress([{ text }], { rate: 4 });
      const { vector, states } = await model.compressor.query(asked);
      expect([model.width, model.compressor.width, memory!.width, vector.length]).toEqual([width, width, width, width]);
      // CLS, four words, a question mark that the vocabulary lacks, SEP.
      expect(states).toHaveLength(7 * D);
    }
  });

  it("asks with its query reasoner, and compresses documents as one without does", async () => {
    const [full, plain] = [models.full!, models.plain!];
    const [one, other] = await Promise.all([full, plain].map(({ compressor }) => compressor.compress([{ text }])));
    expect(one).toEqual(other);
    const [with_, without] = await Promise.all([full, plain].map(({ compressor }) => compressor.query(asked)));
    const distance = Math.max(...with_!.states.map((x, i) => Math.abs(x - without!.states[i]!)));
    expect(distance).toBeGreaterThan(0.01);
  });

  it("shares packs with one that asks and reads otherwise, and not with one of another width", () => {
    expect(models.full!.id).not.toBe(models.plain!.id);
    expect(models.full!.memoryId).toBe(models.plain!.memoryId);
    expect(models.wide!.memoryId).not.toBe(models.full!.memoryId);
  });

  it("keeps narrowed memories in 2 bits, and those of plain states in 4", () => {
    const { width, memoryBits } = models.full!;
    expect([width, memoryBits]).toEqual([3, 2]);
    expect([models.wide!.width, models.wide!.memoryBits]).toEqual([8, 4]);
  });

  it("shows its reader titles where the folder says that it knows them", async () => {
    const read = async ({ generator }: Model) => {
      const evidence = [{ id: "tent", title: "the tent", text, score: 0.5 }];
      return (await generator.generate({ text: asked }, evidence, { context: "text" }))!.tokens.read;
    };
    expect(await read(models.titled!)).toBe((await read(models.full!)) + 2);
    expect(models.titled!.memoryId).toBe(models.full!.memoryId);
  });

  it("answers from memories alone where it has a reader of memories, and says so where it has none", async () => {
    const answer = async ({ compressor, generator }: Model) => {
      const [memory] = await compressor.compress([{ text }], { rate: 2 });
      const query = { text: asked, ...(await compressor.query(asked)) };
      const evidence = [{ id: "tent", title: "", text, memory: memory!, score: 0.5 }];
      return generator.generate(query, evidence, { context: "memory" });
    };
    const given = await answer(models.full!);
    const [quote] = given!.quotes;
    expect(quote!.text).toBe(text.slice(quote!.start, quote!.end));
    expect(given).toMatchObject({ answer: quote!.text, tokens: { text: 6, read: 0 } });
    await expect(answer(models.plain!)).rejects.toMatchObject({ code: "unsupported" });
  });
});
