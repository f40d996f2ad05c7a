import {
  answerFromCandidates,
  answerFromDocuments,
  type ClaraAnswers,
  paraphrase,
  promptIds,
  rankMemories,
} from "@clara/generator";
import type { ClaraPrompt } from "@clara/model";
import type { Checks } from "../check.ts";
import type { Group } from "../group.ts";
import { type Inference, openInference } from "../inference.ts";
import { SCORES } from "../tolerances.ts";

interface Call {
  readonly call: string;
  readonly checkpoint: string;
  readonly questions: readonly string[];
  readonly documents: readonly (readonly string[])[];
  readonly max_new_tokens: number;
  readonly generation_top_k: number;
  readonly dec_input_ids: readonly (readonly number[])[];
  readonly dec_attention_mask: readonly (readonly number[])[];
  readonly token_ids: readonly (readonly number[])[];
  readonly text: readonly string[];
  readonly paraphrase_instruction_index?: readonly number[];
  readonly topk_indices?: readonly (readonly number[])[];
  readonly scores?: readonly (readonly number[])[];
}

/** As a prompt's longest length is in the reference. */
const promptTokens = 1024;

/** Greedy answers, by the functions that people use: prompts, chosen documents, token ids, texts. */
export const generation: Group = {
  name: "generation",
  async run(session, checks) {
    const calls = session.folder.json<readonly Call[]>("generation.json").map((call, i) => ({ ...call, i }));
    for (const [path, own] of Map.groupBy(calls, ({ checkpoint }) => checkpoint)) {
      await checks.attempt(`generation/${path}`, async () => {
        const model = await openInference(path, session);
        try {
          for (const call of own) {
            const name = `generation/${call.i} ${call.call}`;
            await checks.attempt(name, () => compareCall(name, call, model, session.signal, checks));
          }
        } finally {
          await model.dispose();
        }
      });
    }
  },
};

async function compareCall(
  name: string,
  call: Call,
  model: Inference,
  signal: AbortSignal | undefined,
  checks: Checks,
): Promise<void> {
  const { questions, documents, generation_top_k: k, paraphrase_instruction_index: instructions } = call;
  const { tokenizer, render } = model;
  const prompts = call.dec_input_ids.map((_, row): number[] => {
    const prompt: ClaraPrompt = instructions
      ? { task: "paraphrase", instruction: instructions[row]! }
      : { task: "answer", question: questions[row]! };
    return promptIds(prompt, { tokenizer, render, documents: k, promptTokens });
  });
  const recorded = call.dec_input_ids.map((ids, row) => ids.slice(call.dec_attention_mask[row]!.indexOf(1)));
  checks.same(`${name}/prompts`, prompts, recorded);

  const options = { maxTokens: call.max_new_tokens, signal };
  let answers: ClaraAnswers["answers"];
  if (instructions) {
    answers = (await paraphrase(model, documents, { ...options, instruction: instructions })).answers;
  } else if (call.topk_indices) {
    const found = await answerFromCandidates(model, questions, documents, { ...options, selected: k });
    const chosen = found.answers.map((answer) => answer.documents.map(({ index }) => index));
    checks.same(`${name}/topk_indices`, chosen, call.topk_indices);
    answers = found.answers;
  } else answers = (await answerFromDocuments(model, questions, documents, options)).answers;

  // A row that ends early is filled up behind its end.
  const ended = (ids: readonly number[]): readonly number[] => {
    const at = ids.indexOf(tokenizer.eosId);
    return at < 0 ? ids : ids.slice(0, at + 1);
  };
  checks.same(
    `${name}/token_ids`,
    answers.map(({ ids }) => ids),
    call.token_ids.map(ended),
  );
  checks.same(
    `${name}/text`,
    answers.map(({ text }) => text),
    call.text,
  );
  if (call.scores) await compareScores(name, call, call.scores, model, checks);
}

/** The cosine of each question with each of its candidates. */
async function compareScores(
  name: string,
  { questions, documents }: Call,
  wanted: readonly (readonly number[])[],
  { compressor }: Inference,
  checks: Checks,
): Promise<void> {
  const { queries } = await compressor.query(questions);
  const scores: number[] = [];
  for (const [i, query] of queries.entries()) {
    const { memories } = await compressor.compress(documents[i]!);
    const vectors = memories.map((memory) => memory.vectors);
    const ranked = rankMemories(query, vectors).toSorted((a, b) => a.index - b.index);
    scores.push(...ranked.map(({ score }) => score));
  }
  checks.close(`${name}/scores`, { data: scores }, { data: wanted.flat() }, SCORES);
}
