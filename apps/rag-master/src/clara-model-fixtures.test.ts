import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { answer } from "./answer.ts";
import { defaultConfig, type RagConfig } from "./config/index.ts";
import { corpusOfTexts } from "./corpus-of-texts.ts";
import { inspect } from "./import/inspect.ts";
import { runImport } from "./import/run-import.ts";
import { loadModel, type Model } from "./model.ts";

const clara = fileURLToPath(new URL("../../../../shared/fixtures/clara-tiny", import.meta.url));
const shared = existsSync(clara);

interface Call {
  readonly call: string;
  readonly questions: readonly string[];
  readonly documents: readonly (readonly string[])[];
  readonly k: number;
  readonly max_new_tokens: number;
  readonly text: readonly string[];
  readonly topk_indices: readonly (readonly number[])[];
  readonly scores: readonly (readonly number[])[];
}

const all: Call[] = shared ? JSON.parse(readFileSync(join(clara, "generation.json"), "utf8")) : [];
// The pipeline gives no more documents than were trained; some calls ask the reference for more.
const trained = 2;
const calls = all.filter(({ call, k }) => call === "generate_from_questions" && k <= trained);

describe.skipIf(!shared)("the reference's end-to-end checkpoint in the pipeline (needs ../shared/fixtures)", () => {
  let folder: string;
  let model: Model;
  let config: RagConfig;
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "clara-fixtures-"));
    const base = join(clara, "base");
    const inspected = inspect(join(clara, "checkpoints/rate8/stage2"), { base, precision: "float32" });
    await runImport(inspected, join(folder, "model")).finally(() => inspected.close());
    const settings = defaultConfig();
    config = {
      ...settings,
      compression: { enabled: true, model: join(folder, "model"), rate: 8 },
      generation: { maxNewTokens: calls[0]!.max_new_tokens, temperature: 0 },
      guardrails: { ...settings.guardrails, requireCitations: false },
    };
    model = await loadModel(config, { threads: 1 });
  });
  afterAll(async () => {
    await model.dispose();
    rmSync(folder, { recursive: true });
  });

  it("chooses its documents and writes its answers from memories as they were made", async () => {
    expect(calls.length).toBeGreaterThan(0);
    for (const { questions, documents, k, text, topk_indices, scores } of calls) {
      for (const [i, question] of questions.entries()) {
        const memories = await model.compressor.compress(documents[i]!.map((text) => ({ text })));
        const asked = await model.compressor.query(question);
        const closeness = memories.map((memory) => model.closeness(asked, memory));
        expect(Math.max(...closeness.map((x, d) => Math.abs(x - scores[i]![d]!)))).toBeLessThan(1e-5);
        const ranked = [...closeness.keys()].sort((a, b) => closeness[b]! - closeness[a]!);
        expect(ranked.slice(0, k)).toEqual(topk_indices[i]);
        // Where as many were asked for as were trained, all are given: the model takes the first ones.
        const evidence = ranked.slice(0, k === trained ? undefined : k).map((d) => ({
          ...{ id: String(d), title: "", text: documents[i]![d]!, memory: memories[d]!, score: 1 },
        }));
        const given = await model.generator.generate({ text: question, ...asked }, evidence, { context: "memory" });
        expect(given!.answer).toBe(text[i]!.trim());
      }
    }
  });

  it("does so from memories in 8 bits, through search, ranking and rails", async () => {
    const same: boolean[] = [];
    for (const { questions, documents, k, text, topk_indices } of calls) {
      const settings = { ...config, reranking: { ...config.reranking, topK: k } };
      for (const [i, question] of questions.entries()) {
        const given = documents[i]!.map((text, d) => ({ id: String(d), title: "", text }));
        const corpus = await corpusOfTexts(given, model, 8, { split: false });
        const { answer: written, hits } = await answer(question, corpus, model, settings);
        expect(hits.map(({ document }) => Number(document))).toEqual(topk_indices[i]);
        same.push(written === text[i]!.trim());
      }
    }
    expect(same).toEqual(same.map(() => true));
  });
});
