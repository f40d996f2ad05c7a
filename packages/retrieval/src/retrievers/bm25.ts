import type { Hit, Query, SearchOptions, WritableRetriever } from "@clara/core";
import { type Analyzer, englishAnalyzer } from "../analyzer.ts";
import { checkRange, checkSearch } from "../check.ts";
import { closable } from "../closable.ts";
import { compileFilter } from "../filter.ts";
import { planBatch, receipt, searchText } from "../ledger.ts";
import { buildPostings, type Counted, inverseDocumentFrequency, type Postings } from "../postings.ts";
import { readSnapshot, writeSnapshot } from "../snapshot.ts";

export interface Bm25Options {
  /** @default englishAnalyzer */
  readonly analyzer?: Analyzer;
  /** How soon repetitions of a term stop counting, 0 to 100. @default 1.2 */
  readonly k1?: number;
  /** How much long passages are held back, 0 to 1. @default 0.75 */
  readonly b?: number;
  /** Bytes of an earlier `snapshot()`: start with its passages. */
  readonly snapshot?: Uint8Array;
}

export interface Bm25Retriever extends WritableRetriever {
  /** The whole index as bytes, checksum included. They hold counted terms and metadata, not the texts. */
  snapshot(): Uint8Array;
  /** The terms of a text as the index counts them, in order, repetitions included. */
  terms(text: string): string[];
  /** How telling a term (one of `terms`) is here: ln(1 + (N - n + 0.5) / (n + 0.5)). Largest for a term no passage has. */
  idf(term: string): number;
}

/**
 * BM25 over `title` and `text`, in typed arrays. A question's repeated words count as often as they are repeated.
 *
 * Changing the index is cheap; the first search after it rebuilds the postings (about 0.1 s for 50,000 passages).
 *
 * @throws ClaraError "option" for k1 or b out of range; "pack" for a snapshot that is damaged or of another analyzer.
 * @see Robertson & Zaragoza 2009, "The Probabilistic Relevance Framework: BM25 and Beyond".
 */
export function bm25({ analyzer = englishAnalyzer, k1 = 1.2, b = 0.75, snapshot }: Bm25Options = {}): Bm25Retriever {
  checkRange("bm25", "k1", k1, 0, 100);
  checkRange("bm25", "b", b, 0, 1);
  const saved = snapshot && readSnapshot(snapshot, analyzer.id);
  const passages = new Map<string, Counted>(saved?.passages.map((each) => [each.id, each]));
  const vocabulary = new Map<string, number>(saved?.terms.map((term, t) => [term, t]));
  let postings: Postings | undefined; // undefined: passages have changed since
  const { assertOpen, close } = closable("bm25", () => {
    passages.clear();
    vocabulary.clear();
    postings = undefined;
  });

  function count(terms: readonly string[]): { length: number; counts: Uint32Array } {
    const times = new Map<number, number>();
    for (const term of terms) {
      let t = vocabulary.get(term);
      if (t === undefined) {
        t = vocabulary.size;
        vocabulary.set(term, t);
      }
      times.set(t, (times.get(t) ?? 0) + 1);
    }
    const counts = new Uint32Array(2 * times.size);
    let at = 0;
    for (const [t, n] of times) {
      counts[at++] = t;
      counts[at++] = n;
    }
    return { length: terms.length, counts };
  }

  function current(): Postings {
    postings ??= buildPostings([...passages.values()], vocabulary.size, { k1, b });
    return postings;
  }

  return {
    name: "bm25",
    capabilities: { text: true, vector: false, filter: "pre", exact: true, scoreKind: "bm25" },

    async search(query: Query, options: SearchOptions): Promise<readonly Hit[]> {
      assertOpen("search");
      checkSearch("bm25.search", query, options);
      const passes = options.filter ? compileFilter(options.filter) : () => true;
      const terms = new Map<number, number>();
      for (const term of analyzer.analyze(query.text)) {
        const t = vocabulary.get(term);
        if (t !== undefined) terms.set(t, (terms.get(t) ?? 0) + 1);
      }
      return current().search(terms, options.k, passes, "bm25");
    },

    async apply(batch) {
      assertOpen("apply");
      const todo = planBatch("bm25.apply", passages, batch);
      // All texts are read before the first change: an analyzer that throws must leave the index as it was.
      const analyzed = todo.puts.map(({ passage }) => analyzer.analyze(searchText(passage)));
      for (const id of todo.deletes) passages.delete(id);
      todo.puts.forEach(({ entry }, i) => {
        passages.set(entry.id, { ...entry, ...count(analyzed[i]!) });
      });
      if (todo.deletes.length + todo.puts.length > 0) postings = undefined;
      return receipt(todo, passages.size);
    },

    snapshot() {
      assertOpen("snapshot");
      return writeSnapshot({ analyzer: analyzer.id, terms: [...vocabulary.keys()], passages: [...passages.values()] });
    },

    terms: (text) => analyzer.analyze(text),

    idf(term) {
      assertOpen("idf");
      const t = vocabulary.get(term);
      return inverseDocumentFrequency(passages.size, t === undefined ? 0 : current().frequency(t));
    },

    close,
  };
}
