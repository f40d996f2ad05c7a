import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { createEngine, type Engine } from "@clara/engine";
import { answerFromCandidates, answerFromDocuments, type ClaraAnswer, paraphrase } from "@clara/generator";
import { openSafetensors, readWeights, sourceOf } from "@clara/model";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { checkTables, inspect } from "./inspect.ts";
import { openImported } from "./open-imported.testing.ts";
import type { Precision } from "./plan.ts";
import { runImport } from "./run-import.ts";

const fixtures = fileURLToPath(new URL("../../../../../shared/fixtures/", import.meta.url));
const clara = join(fixtures, "clara-tiny");
const shared = existsSync(fixtures);

interface Call {
  readonly call: string;
  readonly checkpoint: string;
  readonly questions: readonly string[];
  readonly documents: readonly (readonly string[])[];
  readonly max_new_tokens: number;
  readonly generation_top_k: number;
  readonly token_ids: readonly (readonly number[])[];
  readonly paraphrase_instruction_index?: readonly number[];
}

const calls: Call[] = shared ? JSON.parse(readFileSync(join(clara, "generation.json"), "utf8")) : [];
const checkpoints = ["rate8/stage1", "rate8/stage1_2", "rate8/stage2"];

/** What the answer of a row is, without the ids that fill a batch up. */
const ended = (ids: readonly number[]): readonly number[] => (ids.includes(2) ? ids.slice(0, ids.indexOf(2) + 1) : ids);

describe.skipIf(!shared)("imported checkpoints of the reference (needs ../shared/fixtures)", () => {
  let engine: Engine;
  let folder: string;
  beforeAll(async () => {
    engine = await createEngine({ prefer: "compiled", threads: 1 });
    folder = mkdtempSync(join(tmpdir(), "clara-import-"));
  });
  afterAll(async () => {
    await engine.dispose();
    rmSync(folder, { recursive: true });
  });

  async function imported(checkpoint: string, precision: Precision = "float32"): Promise<string> {
    const out = join(folder, `${checkpoint.replace("/", "-")}-${precision}`);
    const base = join(clara, "base");
    const inspected = inspect(join(clara, "checkpoints", checkpoint), { base, precision });
    try {
      await checkTables(inspected);
      await runImport(inspected, out);
      return out;
    } finally {
      inspected.close();
    }
  }

  type Model = Awaited<ReturnType<typeof openImported>>;
  async function answers(call: Call, model: Model, maxTokens = call.max_new_tokens): Promise<readonly ClaraAnswer[]> {
    const { questions, documents } = call;
    const options = { maxTokens };
    const { answers } =
      call.call === "generate_from_paraphrase"
        ? await paraphrase(model, documents, { ...options, instruction: call.paraphrase_instruction_index! })
        : call.call === "generate_from_questions"
          ? await answerFromCandidates(model, questions, documents, { ...options, selected: call.generation_top_k })
          : await answerFromDocuments(model, questions, documents, options);
    return answers;
  }

  it.each(checkpoints)("write its ids: %s", async (checkpoint) => {
    const own = calls.filter((call) => call.checkpoint === `checkpoints/${checkpoint}`);
    const kinds = [...Map.groupBy(own, ({ call }) => call).values()].map(([first]) => first!);
    expect(kinds.length).toBeGreaterThan(0);
    const model = await openImported(engine, await imported(checkpoint));
    for (const call of kinds) {
      const written = await answers(call, model);
      expect(written.map(({ ids }) => ids)).toEqual(call.token_ids.map(ended));
    }
  });

  it("make its memories, at another rate too: rate20/stage1", async () => {
    const { documents } = JSON.parse(readFileSync(join(clara, "compress/rate20-stage1.json"), "utf8"));
    const expected = readWeights(readFileSync(join(clara, "compress/rate20-stage1.safetensors"))).memory!;
    const { compressor } = await openImported(engine, await imported("rate20/stage1"));
    const { memories } = await compressor.compress(documents);
    const all = memories.flatMap(({ vectors }) => [...vectors]);
    expect(all).toHaveLength(expected.data.length);
    expect(Math.max(...all.map((value, i) => Math.abs(value - expected.data[i]!)))).toBeLessThan(1e-4);
  });

  it("are read from bfloat16, whose tables equal the base's but for rounding", async () => {
    const model = await openImported(engine, await imported("rate8/stage2-bf16"));
    const [call] = calls.filter(({ checkpoint }) => checkpoint === "checkpoints/rate8/stage2");
    expect((await answers(call!, model, 4))[0]!.ids.length).toBeGreaterThan(0);
  });

  it("run in 8 and in 4 bits, with memories close to those of the whole weights", async () => {
    const [call] = calls.filter(({ checkpoint }) => checkpoint === "checkpoints/rate8/stage2");
    const texts = call!.documents[0]!;
    const exact = await openImported(engine, await imported("rate8/stage2"));
    const { memories } = await exact.compressor.compress(texts);
    for (const [precision, least] of [
      ["int8", 0.999],
      ["int4", 0.9],
    ] as const) {
      const model = await openImported(engine, await imported("rate8/stage2", precision));
      const rounded = await model.compressor.compress(texts);
      const cosines = memories.map(({ vectors }, i) => cosine(vectors, rounded.memories[i]!.vectors));
      expect(Math.min(...cosines)).toBeGreaterThan(least);
      expect((await answers(call!, model, 4))[0]!.ids.length).toBeGreaterThan(0);
    }
  });

  it("are refused on another base", () => {
    const base = join(fixtures, "decoders/mistral-sliding");
    expect(() => inspect(join(clara, "checkpoints/rate8/stage1"), { base, precision: "float32" })).toThrow(
      /tokenizer.json: no such file/,
    );
  });

  it("have a base that is a decoder by itself", async () => {
    const out = join(folder, "decoder");
    const inspected = inspect(join(clara, "base"), { precision: "int8" });
    await runImport(inspected, out);
    inspected.close();
    const { tensors } = openSafetensors(sourceOf(readFileSync(join(out, "base.safetensors"))));
    expect(tensors["head.packed"]!.shape).toEqual([659, 16]);
    expect(tensors.words!.shape).toEqual([659, 64]);
  });
});

function cosine(a: Float32Array, b: Float32Array): number {
  const dot = (x: Float32Array, y: Float32Array): number => x.reduce((sum, value, i) => sum + value * y[i]!, 0);
  return dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b));
}
