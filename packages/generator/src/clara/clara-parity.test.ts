import { createEngine, type Engine } from "@clara/engine";
import { paraphraseInstructions } from "@clara/model";
import { haveFixtures, readCheckpoint, readJson } from "@clara/model/testing";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { answerFromCandidates, answerFromDocuments, type ClaraModel, paraphrase } from "./answers.ts";
import { type ClaraAnswer, claraGenerator } from "./clara-generator.ts";
import { promptIds } from "./prompt-ids.ts";
import { rankMemories } from "./rank-memories.ts";
import { textReader } from "./text-reader.testing.ts";

interface Generation {
  readonly call:
    | "generate_from_paraphrase"
    | "generate_from_text"
    | "generate_from_questions"
    | "generate_from_compressed_documents_and_questions";
  readonly checkpoint: string;
  readonly questions: readonly string[];
  readonly documents: readonly (readonly string[])[];
  readonly max_new_tokens: number;
  readonly generation_top_k: number;
  readonly token_ids: readonly (readonly number[])[];
  readonly text: readonly string[];
  readonly dec_input_ids: readonly (readonly number[])[];
  readonly dec_attention_mask: readonly (readonly number[])[];
  readonly paraphrase_instruction_index?: readonly number[];
  readonly topk_indices?: readonly (readonly number[])[];
  readonly scores?: readonly (readonly number[])[];
}

interface Prompt {
  readonly kind: "qa" | "standard" | "selected" | "paraphrase";
  readonly k: number;
  readonly question: string;
  readonly answer: unknown;
  readonly instruction: number;
  readonly text: string;
  readonly prompt_tokens: number | null;
  readonly input_ids: readonly number[];
}

const where = "(needs ../shared/fixtures)";
const calls = haveFixtures ? readJson<Generation[]>("generation.json") : [];

/** What the answer of a row is, without the ids that fill a batch up. */
const ended = (ids: readonly number[]): readonly number[] => (ids.includes(2) ? ids.slice(0, ids.indexOf(2) + 1) : ids);

describe.skipIf(!haveFixtures)(`answers of the reference ${where}`, () => {
  let engine: Engine;
  beforeAll(async () => {
    engine = await createEngine({ prefer: "compiled", threads: 1 });
  });
  afterAll(() => engine.dispose());

  async function load(path: string) {
    const checkpoint = readCheckpoint(path);
    const { encoder_adapter, decoder_adapter, query_reasoner_adapter } = checkpoint.adapters;
    const base = await engine.params(checkpoint.base);
    const adapter = await engine.params(decoder_adapter!);
    const compressor = await textReader(engine, {
      ...checkpoint,
      base,
      compressor: encoder_adapter!,
      query: query_reasoner_adapter,
    });
    return { generator: await claraGenerator(engine, { ...checkpoint, base, adapter }), compressor, checkpoint };
  }

  /** Each checkpoint once. */
  const loaded = new Map<string, ReturnType<typeof load>>();
  function open(path: string): ReturnType<typeof load> {
    const found = loaded.get(path) ?? load(path);
    loaded.set(path, found);
    return found;
  }

  function answer(
    call: Generation,
    model: ClaraModel,
    rows: readonly number[],
  ): Promise<{ answers: readonly ClaraAnswer[] }> {
    const questions = rows.map((row) => call.questions[row]!);
    const documents = rows.map((row) => call.documents[row]!);
    const options = { maxTokens: call.max_new_tokens };
    if (call.call === "generate_from_paraphrase") {
      const instruction = rows.map((row) => call.paraphrase_instruction_index![row]!);
      return paraphrase(model, documents, { ...options, instruction });
    }
    if (call.call !== "generate_from_questions") return answerFromDocuments(model, questions, documents, options);
    return answerFromCandidates(model, questions, documents, { ...options, selected: call.generation_top_k });
  }

  it("has fixtures of 22 calls with 36 answers", () => {
    expect([calls.length, calls.reduce((sum, { text }) => sum + text.length, 0)]).toEqual([22, 36]);
  });

  it.each(
    calls.map(
      (call, i) => [i, call.call, call.checkpoint, call.generation_top_k, call.questions.length, call] as const,
    ),
  )(
    "are ours, ids and texts: call %i, %s of %s, k %i, %i questions, in a batch and alone",
    async (_, __, path, ___, ____, call) => {
      const { generator, compressor, checkpoint } = await open(path);
      const rows = call.questions.map((_, row) => row);
      const { answers } = await answer(call, { generator, compressor }, rows);
      expect(answers.map(({ ids }) => ids)).toEqual(call.token_ids.map(ended));
      expect(answers.map(({ text }) => text)).toEqual(call.text);
      expect(answers.map(({ ended }) => ended)).toEqual(call.token_ids.map((ids) => ids.includes(2)));
      for (const row of rows.length > 1 ? rows : []) {
        const alone = await answer(call, { generator, compressor }, [row]);
        const { logProbability, ...same } = answers[row]!;
        expect(alone.answers).toMatchObject([same]);
        expect(alone.answers[0]!.logProbability).toBeCloseTo(logProbability, 4);
      }
      for (const [row, ids] of call.dec_input_ids.entries()) {
        const { tokenizer, render } = checkpoint;
        const prompt = call.paraphrase_instruction_index
          ? ({ task: "paraphrase", instruction: call.paraphrase_instruction_index[row]! } as const)
          : ({ task: "answer", question: call.questions[row]! } as const);
        const documents = call.generation_top_k;
        expect(promptIds(prompt, { tokenizer, render, documents, promptTokens: 1024 })).toEqual(
          ids.slice(call.dec_attention_mask[row]!.indexOf(1)),
        );
      }
    },
  );

  const asked = calls.filter(({ scores }) => scores);
  it.each(asked.map((call, i) => [i, call] as const))(
    "choose the same documents by the same scores, case %i",
    async (_, call) => {
      const { generator, compressor } = await open(call.checkpoint);
      const { documents, questions } = call;
      const options = { maxTokens: 1, selected: call.generation_top_k };
      const { answers } = await answerFromCandidates({ generator, compressor }, questions, documents, options);
      expect(answers.map((answer) => answer.documents.map(({ index }) => index))).toEqual(call.topk_indices);
      const { queries } = await compressor.query(questions);
      for (const [i, query] of queries.entries()) {
        const { memories } = await compressor.compress(documents[i]!);
        const ranked = rankMemories(
          query,
          memories.map(({ vectors }) => vectors),
        );
        const scores = ranked.toSorted((a, b) => a.index - b.index).map(({ score }) => score);
        expect(Math.max(...scores.map((score, n) => Math.abs(score - call.scores![i]![n]!)))).toBeLessThan(1e-5);
      }
    },
  );

  it("come from memories alone too, with no text at hand", async () => {
    const { generator, compressor } = await open("checkpoints/rate8/stage1_2");
    const call = calls.find(({ call }) => call === "generate_from_compressed_documents_and_questions")!;
    const memories = await Promise.all(call.documents.map(async (list) => (await compressor.compress(list)).memories));
    const { answers } = await answerFromDocuments({ generator }, call.questions, memories, { maxTokens: 24 });
    expect(answers.map(({ text }) => text)).toEqual(call.text);
  });

  it("use the generator's adapter of a stage1_2 checkpoint, which the reference forgets when loaded the plain way", async () => {
    type Quirk = {
      generate_from_text: { questions: string[]; documents: string[][]; text: string[]; token_ids: number[][] };
    };
    const quirk = readJson<{ stage1_2_loaded_without_pure_inference: Quirk }>("quirks.json");
    const { questions, documents, text, token_ids } = quirk.stage1_2_loaded_without_pure_inference.generate_from_text;
    const { generator, compressor, checkpoint } = await open("checkpoints/rate8/stage1_2");
    const [right] = (await answerFromDocuments({ generator, compressor }, questions, documents, { maxTokens: 24 }))
      .answers;
    expect(right!.text).not.toBe(text[0]);
    // What the reference writes is what an adapter of zeros writes.
    const zeros = Object.entries(checkpoint.adapters.decoder_adapter!).map(([name, { shape, data }]) => {
      return [name, { shape, data: name.endsWith(".b") ? new Float32Array(data.length) : data }];
    });
    const forgetful = await claraGenerator(engine, {
      ...checkpoint,
      base: await engine.params(checkpoint.base),
      adapter: await engine.params(Object.fromEntries(zeros)),
    });
    const model = { generator: forgetful, compressor };
    expect((await answerFromDocuments(model, questions, documents, { maxTokens: 24 })).answers[0]!.ids).toEqual(
      token_ids[0],
    );
  });

  it("have the reference's prompts, byte for byte", () => {
    const { tokenizer, render } = readCheckpoint("checkpoints/rate8/stage1");
    const { prompts } = readJson<{ prompts: Prompt[] }>("prompts.json");
    const kinds = new Set<string>();
    for (const { kind, k, question, instruction, answer, text, prompt_tokens, input_ids } of prompts) {
      const task = kind === "qa" ? "questions" : kind === "paraphrase" ? "paraphrase" : "answer";
      const ids = promptIds({ task, question, instruction }, { tokenizer, render, documents: k, promptTokens: 1024 });
      const whole = answer === null || answer === undefined;
      expect(ids).toEqual(whole ? input_ids : input_ids.slice(0, ids.length));
      if (prompt_tokens !== null) expect(ids).toHaveLength(prompt_tokens);
      if (whole) expect(tokenizer.decode(ids, { special: true }).length).toBeGreaterThan(text.length / 2);
      kinds.add(`${kind} ${k}`);
    }
    expect([...kinds].sort()).toEqual(
      [1, 2].flatMap((k) => ["paraphrase", "qa", "selected", "standard"].map((kind) => `${kind} ${k}`)).sort(),
    );
    expect(prompts.filter(({ kind }) => kind === "paraphrase").length).toBeGreaterThanOrEqual(
      paraphraseInstructions.length,
    );
  });
});
