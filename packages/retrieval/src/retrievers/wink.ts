import type { Hit, Query, SearchOptions, WritableRetriever } from "@clara/core";
import winkBm25, { type WinkBm25 } from "wink-bm25-text-search";
import { type Analyzer, englishAnalyzer } from "../analyzer.ts";
import { checkRange, checkSearch } from "../check.ts";
import { closable } from "../closable.ts";
import { compileFilter } from "../filter.ts";
import { type Entry, planBatch, receipt, searchText } from "../ledger.ts";
import { inverseDocumentFrequency } from "../postings.ts";
import { topK } from "../top-k.ts";

export interface WinkOptions {
  /** @default englishAnalyzer */
  readonly analyzer?: Analyzer;
  /** How soon repetitions of a term stop counting, 0 to 100. @default 1.2 */
  readonly k1?: number;
  /** How much long passages are held back, 0 to 1. @default 0.75 */
  readonly b?: number;
}

interface Tokenized extends Entry {
  readonly tokens: readonly string[];
}

interface Built {
  readonly engine: WinkBm25;
  /** Wink's document names are the positions in here. */
  readonly passages: readonly Tokenized[];
  /** Passages that contain a token. */
  readonly frequency: ReadonlyMap<string, number>;
  /** How often each passage was added: 1, and more when wink would refuse so few. */
  readonly copies: number;
}

/**
 * BM25 by wink-bm25-text-search: the reference that `bm25` is compared with. Same formula and scores, to about 1e-9;
 * slower, and larger. Good to 50,000 passages.
 *
 * Wink cannot add, change or delete after its `consolidate`, so a change builds it anew from the kept tokens at the next
 * search: about 5 s for 50,000 passages. Prefer few large batches.
 *
 * @throws ClaraError "option" for k1 or b out of range.
 */
export function wink({ analyzer = englishAnalyzer, k1 = 1.2, b = 0.75 }: WinkOptions = {}): WritableRetriever {
  checkRange("wink", "k1", k1, 0, 100);
  checkRange("wink", "b", b, 0, 1);
  const passages = new Map<string, Tokenized>();
  let built: Built | undefined;
  const { assertOpen, close } = closable("wink", () => {
    passages.clear();
    built = undefined;
  });

  // Wink looks tokens up in what becomes a plain object when an index is imported, where "constructor" is a property of all.
  // Nothing is imported here; the prefix keeps it so that nothing goes wrong when wink does the same elsewhere.
  const tokensOf = (text: string) => analyzer.analyze(text).map((term) => `~${term}`);

  function build(): Built {
    const list = [...passages.values()];
    const engine = winkBm25();
    engine.defineConfig({ fldWeights: { tokens: 1 }, bm25Params: { k1, b, k: 1 } });
    // One step for both: passages come as tokens already; a question, which wink wants as a string, as tokens in JSON.
    engine.definePrepTasks([(input: unknown) => (typeof input === "string" ? JSON.parse(input) : input)]);
    // Wink refuses fewer than three documents. Copies of all keep the average length; search puts the idf right.
    const copies = list.length < 3 ? 3 : 1;
    const frequency = new Map<string, number>();
    list.forEach(({ tokens }, p) => {
      for (let c = 0; c < copies; c++) engine.addDoc({ tokens }, String(c * list.length + p));
      for (const token of new Set(tokens)) frequency.set(token, (frequency.get(token) ?? 0) + 1);
    });
    engine.consolidate(9); // digits kept of a score; the default of 4 makes ties of what is none
    return { engine, passages: list, frequency, copies };
  }

  /** The scores of all passages that have a term of the question. */
  function score({ engine, passages: list, frequency, copies }: Built, tokens: readonly string[]): Map<number, number> {
    const scores = new Map<number, number>();
    const add = (searched: readonly string[], factor: number) => {
      // All of them: wink breaks ties its own way, so the cut at k is ours to make.
      for (const [name, part] of engine.search(JSON.stringify(searched), copies * list.length)) {
        const p = Number(name);
        if (p < list.length) scores.set(p, (scores.get(p) ?? 0) + part * factor);
      }
    };
    if (copies === 1) add(tokens, 1);
    else {
      for (const token of tokens) {
        const n = frequency.get(token) ?? 0;
        const [N, C] = [list.length, copies];
        if (n > 0) add([token], inverseDocumentFrequency(N, n) / inverseDocumentFrequency(C * N, C * n));
      }
    }
    return scores;
  }

  return {
    name: "wink",
    capabilities: { text: true, vector: false, filter: "pre", exact: true, scoreKind: "bm25" },

    async search(query: Query, options: SearchOptions): Promise<readonly Hit[]> {
      assertOpen("search");
      checkSearch("wink.search", query, options);
      const passes = options.filter ? compileFilter(options.filter) : () => true;
      if (passages.size === 0) return [];
      built ??= build();
      const best = topK(options.k);
      for (const [p, value] of score(built, tokensOf(query.text))) {
        const entry = built.passages[p]!;
        if (value > 0 && best.wants(value, entry.id) && passes(entry)) best.offer(value, entry.id);
      }
      return best.hits("wink");
    },

    async apply(batch) {
      assertOpen("apply");
      const todo = planBatch("wink.apply", passages, batch);
      const tokens = todo.puts.map(({ passage }) => tokensOf(searchText(passage)));
      for (const id of todo.deletes) passages.delete(id);
      todo.puts.forEach(({ entry }, i) => {
        passages.set(entry.id, { ...entry, tokens: tokens[i]! });
      });
      if (todo.deletes.length + todo.puts.length > 0) built = undefined;
      return receipt(todo, passages.size);
    },

    close,
  };
}
