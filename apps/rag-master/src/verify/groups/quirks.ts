import type { Weights } from "@clara/core";
import { answerFromDocuments } from "@clara/generator";
import { tf } from "@clara/tensor";
import { selectTopK } from "@clara/topk";
import {
  adapterNames,
  claraPart,
  compressionTask,
  encodeRecord,
  endToEndTask,
  instructionTask,
  type Role,
  readRecords,
  readReferenceCheckpoint,
  type Task,
} from "@clara/train";
import type { Checks } from "../check.ts";
import { largest, relativeDifference } from "../compare.ts";
import type { Group } from "../group.ts";
import { openInference } from "../inference.ts";
import { type Session, vocabularyOf } from "../session.ts";
import { EXACT } from "../tolerances.ts";

// biome-ignore lint/suspicious/noExplicitAny: recorded values of many forms, one by one
type Recorded = any;
type Quirk = (name: string, recorded: Recorded, session: Session, checks: Checks) => unknown;

/** Odd behaviour of the reference, and that ours is right there. What no test of ours can show is skipped. */
export const quirks: Group = {
  name: "quirks",
  async run(session, checks) {
    const recorded = session.folder.json<Record<string, Recorded>>("quirks.json");
    for (const [key, value] of Object.entries(recorded)) {
      const name = `quirks/${key}`;
      const ours = answers[key] ?? Object.entries(patterns).find(([pattern]) => new RegExp(pattern).test(key))?.[1];
      // That one needs a training run: the group "training" has it.
      if (key === "gradient_accumulation_in_deepspeed") {
        if (session.folder.names("training", ".json").length === 0) checks.skip(name, "needs files in training/");
        continue;
      }
      if (!ours) checks.skip(name, "is about the reference alone");
      else await checks.attempt(name, () => ours(name, value, session, checks));
    }
  },
};

const named = (roles: Iterable<string>): string[] => [...roles].map((role) => adapterNames[role as Role]).sort();

const answers: Readonly<Record<string, Quirk>> = {
  // All adapters that are in a file are used, whatever its stage.
  pure_inference_adapter_keys: (name, recorded: Record<string, string[]>, session, checks) => {
    const ours = Object.keys(recorded).map((path) => [path, named(Object.keys(session.reference(path).adapters))]);
    checks.same(name, Object.fromEntries(ours), recorded);
  },
  stage1_2_loaded_without_pure_inference: forgottenAdapter,
  stage1_fresh: (name, recorded, session, checks) => trains(name, recorded, "stage1", compressionTask, session, checks),
  stage1_2_from_stage1: (name, recorded, session, checks) =>
    trains(name, recorded, "stage1_2", instructionTask, session, checks),
  stage2_from_stage1_2: freshQuery,
  retrieval_loss_gradients: (name, recorded, session, checks) => {
    const { adapters } = session.checkpoint(session.findCheckpoint({ stage: "stage2", name }));
    const wanted = recorded.tensors_with_gradient_after_reactivating;
    checks.same(name, Object.keys(adapters.query ?? {}).length, wanted);
  },
  compr_rate_override: (name, _, session, checks) => {
    const path = session.findCheckpoint({ stage: "stage1", name });
    const { folder } = session;
    const config = folder.json<{ compr_rate: number; doc_max_length: number }>(`${path}/config.json`);
    // Another number of memory tokens than the tables have rows for.
    const compr_rate = config.doc_max_length < 2 * config.compr_rate ? 1 : config.doc_max_length;
    const files = {
      config: { ...config, compr_rate },
      adapters: folder.bytes(`${path}/adapters.pth`),
      tables: folder.bytes(`${path}/decoder_first_last_layers.pth`),
    };
    return checks.refuses(name, () =>
      readReferenceCheckpoint(files, { ...session.decoder(), ...vocabularyOf(session) }),
    );
  },
  k_greater_than_N: (name, _, __, checks) =>
    checks.refuses(name, () => tf.tidy(() => void selectTopK(tf.zeros([1, 2]), 3))),
  document_with_memory_token_text: (name, recorded, session, checks) => {
    const memoryTokens = recorded.result[1] - 1; // the reference reads one more
    const { row, firstMemoryId } = session.tokenizer(memoryTokens);
    const found = row("a <MEM0> b", 1000).filter((id) => id >= firstMemoryId && id < firstMemoryId + memoryTokens);
    checks.same(name, found.length, memoryTokens);
  },
  document_with_eos_text: (name, recorded: { result: number[] }, session, checks) => {
    const { shape } = session.checkpoint(session.findCheckpoint({ stage: "stage2", name }));
    const { decode, row, eosId, eos = "" } = session.tokenizer(shape.memoryTokens);
    const ends = (ids: readonly number[]): number => ids.filter((id) => id === eosId).length;
    // The text between its own beginning and its own end.
    const text = decode(recorded.result, { special: true })
      .replace(/^.*<ENC>(<s>)?/s, "")
      .split(eos)
      .slice(0, -1)
      .join(eos);
    checks.same(name, { theirs: ends(recorded.result) > 1, ours: ends(row(text, 1000)) }, { theirs: true, ours: 1 });
  },
  empty_document_list: (name, _, __, checks) =>
    checks.refuses(name, () => read([{ question: "q", answer: "a", docs: [] }], "endToEnd")),
  // The reference makes a question of each letter.
  stage1_str_question: async (name, recorded: { result: string }, _, checks) => {
    const pairs = [...recorded.result.matchAll(/Question: (.*)\nAnswer: (.*?)(?:<\/s>)?$/gm)];
    const [question, answer] = [1, 2].map((part) => pairs.map((pair) => pair[part]).join(""));
    const records = await read([{ question, answers: [answer], docs: ["d"] }], "compression");
    checks.same(
      name,
      records.map((record) => record.kind === "questions" && record.pairs),
      [[{ question, answer }]],
    );
  },
};

const patterns: Readonly<Record<string, Quirk>> = {
  "^documents_one_with_memory_token_text$": (name, _, session, checks) => {
    const { shape } = session.checkpoint(session.findCheckpoint({ stage: "stage2", name }));
    const { row, firstMemoryId } = session.tokenizer(shape.memoryTokens);
    const memories = (text: string): number => row(text, 1000).filter((id) => id === firstMemoryId).length;
    checks.same(name, ["a <MEM0> b", "another"].map(memories), [1, 1]);
  },
  // Rows that only fill up are masked; none goes to another question.
  "^ragged_candidates_": (name, _, session, checks) => {
    const { row } = session.tokenizer(1);
    const example = (id: string, texts: string[]) => {
      const documents = texts.map((text) => row(text, 9));
      return { id, documents, question: row("q", 9), prompt: row("p", 9), answerStart: 1 };
    };
    const { candidates } = claraPart([example("two", ["a", "b"]), example("one", ["c"])]);
    checks.same(name, Array.from(candidates!.data), [1, 1, 1, 0]);
  },
  // Without its answer a record trains nothing.
  "^prompt_cut_to_\\d+_tokens$": (name, _, session, checks) => {
    const promptTokens = Number(/\d+/.exec(name.replace(/^.*prompt_cut/, ""))![0]);
    const [tokenizer, render] = [session.tokenizer(1), session.render()];
    const record = {
      kind: "answer",
      line: 1,
      documents: ["d"],
      question: "q",
      answer: "a",
      aliases: [],
      positives: [],
    } as const;
    const options = { tokenizer, render, stage: "instruction", documents: 1, documentTokens: 9 } as const;
    const { answerStart } = encodeRecord(record, { ...options, promptTokens: 1000 }).example;
    if (answerStart < promptTokens) return checks.skip(name, `a prompt may have ${promptTokens} tokens`);
    return checks.refuses(name, () => encodeRecord(record, { ...options, promptTokens }));
  },
  "^mixed_qa_paraphrase_file_": async (name, _, __, checks) => {
    const question = name.includes("list") ? [""] : "";
    const lines = [
      { data_type: "qa", question: ["q"], answers: ["a"], docs: ["d"] },
      { data_type: "paraphrase", question, answers: ["p"], docs: ["d"] },
    ];
    checks.same(
      name,
      (await read(lines, "compression")).map(({ kind }) => kind),
      ["questions", "paraphrase"],
    );
  },
};

async function read(lines: readonly object[], stage: "compression" | "endToEnd") {
  const texts = lines.map((line) => JSON.stringify(line));
  return (await readRecords(texts, { stage, documents: 1 })).records;
}

type MakeTask = typeof compressionTask;

/** Which adapters a stage has, and whether it trains the memory tokens' rows. */
async function trains(
  name: string,
  recorded: { adapter_keys: string[]; embedding_requires_grad: boolean },
  stage: string,
  make: MakeTask,
  session: Session,
  checks: Checks,
): Promise<void> {
  const { shape, base, adapters } = session.checkpoint(session.findCheckpoint({ stage, name }));
  const engine = await session.engine();
  const task = await make({ engine, shape, base, adapters, batches: () => [] });
  const names = task.params.filter(({ trainable }) => trainable).flatMap(({ shapes }) => Object.keys(shapes));
  await release(task);
  const roles = new Set(names.filter((path) => path !== "memoryRows").map((path) => path.split(".")[0]!));
  checks.same(
    name,
    { adapter_keys: named(roles), embedding_requires_grad: names.includes("memoryRows") },
    { adapter_keys: recorded.adapter_keys, embedding_requires_grad: recorded.embedding_requires_grad },
  );
}

/** A new query reasoner begins as the compressor. */
async function freshQuery(
  name: string,
  recorded: { query_adapter_equals_encoder_adapter: boolean },
  session: Session,
  checks: Checks,
): Promise<void> {
  const { shape, base, adapters } = session.checkpoint(session.findCheckpoint({ stage: "stage1_2", name }));
  const { query: _, ...before } = adapters;
  const engine = await session.engine();
  const task = await endToEndTask({ engine, shape, base, adapters: before, batches: () => [], selected: 1 });
  const values = Object.assign({}, ...(await Promise.all(task.params.map((store) => store.read()))));
  await release(task);
  const parts = Object.entries(before.compressor ?? {}).map(([path, { data }]) => ({
    what: path,
    error: relativeDifference({ data: values[`query.${path}`]?.data ?? [] }, { data }),
  }));
  if (recorded.query_adapter_equals_encoder_adapter) checks.worst(name, parts, EXACT);
  else checks.skip(name, "the reference had another one here");
}

async function release({ params }: Task): Promise<void> {
  for (const store of params) await store.dispose();
}

/** Loaded the plain way the reference writes as if the generator's adapter were 0; ours has it. */
async function forgottenAdapter(name: string, recorded: Recorded, session: Session, checks: Checks): Promise<void> {
  const path = session.findCheckpoint({ stage: "stage1_2", name });
  const { adapters } = session.checkpoint(path);
  const own = Object.entries(adapters.generator ?? {}).filter(([matrix]) => matrix.endsWith(".b"));
  const zero = own.every(([, array]) => largest(array) === 0);
  checks.same(
    `${name}/adapter`,
    { keys: named(Object.keys(adapters)), zero },
    { keys: recorded.adapter_keys, zero: false },
  );
  const { questions, documents, token_ids } = recorded.generate_from_text;
  const withoutB = (arrays: Weights): Weights =>
    Object.fromEntries(
      Object.entries(arrays).map(([matrix, { shape, data }]) => {
        return [matrix, { shape, data: matrix.endsWith(".b") ? new Float32Array(data.length) : data }];
      }),
    );
  const maxTokens = Math.max(...token_ids.map((ids: number[]) => ids.length));
  const write = async (options: Parameters<typeof openInference>[2]): Promise<(readonly number[])[]> => {
    const model = await openInference(path, session, options);
    try {
      return (await answerFromDocuments(model, questions, documents, { maxTokens })).answers.map(({ ids }) => ids);
    } finally {
      await model.dispose();
    }
  };
  const { eosId } = session.tokenizer(1);
  const theirs = token_ids.map((ids: number[]) => ids.slice(0, ids.indexOf(eosId) + 1 || undefined));
  checks.same(`${name}/as if it were 0`, await write({ generatorAdapter: withoutB }), theirs);
  checks.same(`${name}/another answer`, `${await write({})}` === `${theirs}`, false);
}
