import { describeRetriever } from "@clara/retrieval/conformance";
import { describe, expect, it } from "vitest";
import { trigram } from "./trigram.ts";

describeRetriever({ describe, it }, "trigram", trigram);

it("finds words that are misspelt", async () => {
  const index = trigram();
  const passage = (id: string, text: string) => ({
    id,
    document: id,
    title: "",
    text,
    start: 0,
    end: text.length,
    metadata: {},
  });
  await index.apply({ upsert: [passage("jacket", "A warm jacket"), passage("tent", "A light tent")] });
  expect((await index.search({ text: "warm jaket" }, { k: 1 }))[0]?.id).toBe("jacket");
});
