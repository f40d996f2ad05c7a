import type { Hit, IndexedPassage } from "@clara/core";
import { check, checkEqual } from "./assert.ts";
import { type Case, checkHits, createRandom, idsOf } from "./setup.ts";

const words = "lava ash crater basalt magma vent dome flow rift plume cone tuff sill dyke pumice".split(" ");

export const model: readonly Case[] = [
  {
    title: "answers after any changes as an index that was made at once",
    async run({ make, passage, query }) {
      for (const seed of [1, 2, 3]) {
        const random = createRandom(seed);
        const pick = (n: number) => Math.floor(random() * n);
        const text = () => Array.from({ length: 1 + pick(8) }, () => words[pick(words.length)]).join(" ");
        const changed = await make();
        const now = new Map<string, IndexedPassage>();

        for (let step = 0; step < 25; step++) {
          const upsert = new Map<string, IndexedPassage>();
          for (let i = pick(6); i > 0; i--) {
            const id = `p#${pick(40)}`;
            upsert.set(
              id,
              random() < 0.2 ? (now.get(id) ?? passage(id, text())) : passage(id, text(), { title: words[pick(3)]! }),
            );
          }
          const gone = Array.from({ length: pick(4) }, () => `p#${pick(40)}`);
          const receipt = await changed.apply({ upsert: [...upsert.values()], delete: gone });
          for (const id of gone) now.delete(id);
          for (const [id, each] of upsert) now.set(id, each);
          checkEqual(`total after step ${step} of sequence ${seed}`, receipt.total, now.size);
          if (step % 5 === 0)
            checkHits(await changed.search(query(text()), { k: 10 }), 10, changed, new Set(now.keys()));
        }

        const fresh = await make();
        await fresh.apply({ upsert: [...now.values()].reverse() });
        for (let i = 0; i < 20; i++) {
          const question = query(text());
          const [got, expected] = [await changed.search(question, { k: 10 }), await fresh.search(question, { k: 10 })];
          checkHits(got, 10, changed, new Set(now.keys()));
          const what = `"${question.text}" after sequence ${seed}`;
          if (changed.capabilities.exact) checkSame(what, got, expected);
          else checkNear(what, got, expected);
        }
      }
    },
  },
  {
    title: "finds more with a larger k, and the same ones first",
    applies: ({ capabilities }) => capabilities.exact,
    async run({ make, passage, query }) {
      const random = createRandom(7);
      const text = () => Array.from({ length: 6 }, () => words[Math.floor(random() * words.length)]).join(" ");
      const retriever = await make();
      await retriever.apply({ upsert: Array.from({ length: 30 }, (_, i) => passage(`p#${i}`, text())) });
      for (let i = 0; i < 10; i++) {
        const question = query(text());
        const long = await retriever.search(question, { k: 12 });
        checkEqual("the first five", idsOf(await retriever.search(question, { k: 5 })), idsOf(long).slice(0, 5));
      }
    },
  },
];

/** The same scores, and the same ids but for those that differ in the last digits only. */
function checkSame(what: string, got: readonly Hit[], expected: readonly Hit[]): void {
  checkEqual(`number of hits for ${what}`, got.length, expected.length);
  got.forEach((hit, i) => {
    const wanted = expected[i]!.score;
    const close = Math.abs(hit.score - wanted) <= 1e-6 * Math.max(Math.abs(wanted), 1e-3);
    check(close, `score ${i} for ${what}: expected ${wanted}, got ${hit.score}`);
  });
  checkEqual(`ids for ${what}`, idsOf(got), idsOf(expected));
}

/** Of approximate indexes: nearly the same ids. */
function checkNear(what: string, got: readonly Hit[], expected: readonly Hit[]): void {
  const ids = new Set(idsOf(expected));
  const shared = got.filter(({ id }) => ids.has(id)).length;
  check(
    shared >= 0.8 * expected.length,
    `${what}: expected most of ${[...ids].join(", ")}, got ${idsOf(got).join(", ")}`,
  );
}
