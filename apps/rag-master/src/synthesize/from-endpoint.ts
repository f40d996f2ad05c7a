import { ClaraError, type Passage, throwIfAborted } from "@clara/core";
import { type Paraphrase, permutation, random, type SynthesizedRecord } from "@clara/train";
import { type AskedPassage, askParaphrase, askPassage } from "./ask-passage.ts";
import type { Ask } from "./reply-cache.ts";

export interface FromEndpointOptions {
  readonly ask: Ask;
  /** Rounds of verifying and asking again, for each passage. */
  readonly rounds: number;
  readonly paraphrases: boolean;
  readonly limit: number;
  readonly seed: number;
  readonly signal: AbortSignal;
  readonly onProgress?: (done: number, total: number) => void;
}

export interface FromEndpoint {
  readonly records: readonly SynthesizedRecord[];
  readonly paraphrases: readonly Paraphrase[];
  /** Passages that were asked about. */
  readonly asked: number;
  readonly rejected: number;
  /** Facts that no question covers after the last round. */
  readonly uncovered: number;
  /** Passages that the endpoint gave nothing usable for. */
  readonly problems: readonly { readonly path: string; readonly reason: string }[];
}

/** So many passages running without a usable reply, and the endpoint is not what was asked for. */
const patience = 3;

/**
 * Pairs by an endpoint, one request at a time: the replies are kept as they come, so that a run which ends early loses
 * one of them.
 *
 * @throws ClaraError "io" or "option" when the endpoint fails for good, "input" when it gives nothing usable; "aborted"
 */
export async function fromEndpoint(passages: readonly Passage[], options: FromEndpointOptions): Promise<FromEndpoint> {
  const { ask, rounds, paraphrases: wantsParaphrases, limit, seed, signal, onProgress } = options;
  const order = Number.isFinite(limit) ? permutation(passages.length, random(seed, 7)) : passages.keys();
  const made = new Map<number, SynthesizedRecord[]>();
  const said = new Map<number, Paraphrase>();
  const problems: { path: string; reason: string }[] = [];
  let count = 0;
  let asked = 0;
  let rejected = 0;
  let uncovered = 0;
  let failures = 0;
  for (const index of order) {
    throwIfAborted(signal, "synthesize");
    if (count >= limit) break;
    onProgress?.(
      Number.isFinite(limit) ? Math.min(count, limit) : asked,
      Number.isFinite(limit) ? limit : passages.length,
    );
    const passage = passages[index]!;
    asked++;
    try {
      const result = await askPassage(passage, ask, rounds);
      failures = 0;
      rejected += result.rejected;
      uncovered += result.uncovered.length;
      const records = recordsOf(passage, result).slice(0, limit - count);
      made.set(index, records);
      count += records.length;
      if (!wantsParaphrases) continue;
      const text = await askParaphrase(passage, ask, rounds);
      if (text !== null) said.set(index, { id: `${passage.id}/paraphrase`, passage: passage.id, text });
    } catch (error) {
      if (!(error instanceof ClaraError) || error.code !== "input") throw error;
      problems.push({ path: passage.id, reason: error.message });
      failures++;
      if (failures >= patience && made.size === 0) {
        throw new ClaraError(
          "input",
          `${error.message}; ${failures} passages in a row gave nothing: this endpoint or model does not do what is asked`,
          { cause: error },
        );
      }
    }
  }
  const inOrder = <T>(map: ReadonlyMap<number, T>): T[] => [...map].sort(([a], [b]) => a - b).map(([, value]) => value);
  return { records: inOrder(made).flat(), paraphrases: inOrder(said), asked, rejected, uncovered, problems };
}

function recordsOf({ id, document, title, text }: Passage, { pairs }: AskedPassage): SynthesizedRecord[] {
  return pairs.map(({ question, answer, spans, rule }, i) => ({
    id: `${id}/${rule}/${i}`,
    question,
    answers: [answer],
    docs: [text],
    pos_index: [0],
    answerable: true,
    spans: spans.map((span) => ({ doc: 0, ...span })),
    title,
    source: document,
    rule,
  }));
}
