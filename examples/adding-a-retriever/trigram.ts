import type { WritableRetriever } from "@clara/core";
import { checkSearch, compileFilter, type Entry, planBatch, receipt, topK } from "@clara/retrieval";

interface Indexed extends Entry {
  readonly grams: ReadonlySet<string>;
}

/** Finds passages by shared runs of three characters, so that `jaket` still finds `jacket`. */
export function trigram(): WritableRetriever {
  const passages = new Map<string, Indexed>();

  return {
    name: "trigram",
    capabilities: { text: true, vector: false, filter: "pre", exact: true, scoreKind: "weighted" },

    async search(query, options) {
      checkSearch("trigram.search", query, options);
      const passes = options.filter ? compileFilter(options.filter) : () => true;
      const asked = gramsOf(query.text);
      const best = topK(options.k);
      for (const passage of passages.values()) {
        const score = likeness(asked, passage.grams);
        if (score > 0 && passes(passage)) best.offer(score, passage.id);
      }
      return best.hits("trigram");
    },

    async apply(batch) {
      const plan = planBatch("trigram.apply", passages, batch); // throws before anything is changed
      for (const id of plan.deletes) passages.delete(id);
      for (const { passage, entry } of plan.puts) {
        passages.set(entry.id, { ...entry, grams: gramsOf(`${passage.title} ${passage.text}`) });
      }
      return receipt(plan, passages.size);
    },

    async close() {
      passages.clear();
    },
  };
}

function gramsOf(text: string): Set<string> {
  const letters = ` ${
    text
      .toLowerCase()
      .match(/[\p{L}\p{M}\p{N}]+/gu)
      ?.join(" ") ?? ""
  } `;
  return new Set(Array.from({ length: Math.max(0, letters.length - 2) }, (_, i) => letters.slice(i, i + 3)));
}

/** The share of all their runs that two texts have in common, 0 to 1. */
function likeness(a: ReadonlySet<string>, b: ReadonlySet<string>): number {
  let shared = 0;
  for (const gram of a) if (b.has(gram)) shared++;
  return shared === 0 ? 0 : shared / (a.size + b.size - shared);
}
