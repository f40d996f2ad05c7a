import { mkdirSync, writeFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createRagMaster, type RagMaster } from "./rag-master.ts";

const weighs = "How much does the Skarrow tent weigh?";

let root = "";
let rag: RagMaster;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "clara-rag-"));
  mkdirSync(join(root, "docs"));
  writeFileSync(join(root, "docs/tent.md"), "# Skarrow tent\n\nThe Skarrow tent weighs 2.4 kg.\n");
  writeFileSync(
    join(root, "rag.yaml"),
    'rag_master:\n  cognitive_brain:\n    refusal_message: "That is not in here."\n',
  );
  rag = await createRagMaster({ config: join(root, "rag.yaml"), pack: join(root, "pack") });
});
afterAll(async () => {
  await rag.close();
  await rm(root, { recursive: true, force: true });
});

describe("createRagMaster", () => {
  it("answers from documents given with the question, without a pack", async () => {
    const { response, citations, refused, record } = await rag.query(weighs, {
      documents: ["Returns are free.", { id: "tent", title: "Tent", text: "The Skarrow tent weighs 1.9 kg." }],
    });
    expect(response).toContain("1.9 kg");
    expect(citations).toMatchObject([{ document: "tent", verified: true }]);
    expect({ refused, question: record.question }).toEqual({ refused: false, question: weighs });
  });

  it("says how to make the pack that is missing, and finds it once it is there", async () => {
    await expect(rag.query(weighs)).rejects.toMatchObject({
      code: "pack",
      message: expect.stringContaining("rag-master index <folder> --pack"),
    });
    expect(await rag.index([join(root, "docs")])).toMatchObject({ found: 1, indexed: 1 });
    expect((await rag.query(weighs)).response).toContain("2.4 kg");
  });

  it("answers from what was indexed last", async () => {
    writeFileSync(join(root, "docs/tent.md"), "# Skarrow tent\n\nThe Skarrow tent weighs 3.1 kg.\n");
    expect(await rag.index([join(root, "docs")])).toMatchObject({ indexed: 1 });
    const both = await Promise.all([rag.query(weighs), rag.query(weighs)]);
    expect(both.map(({ response }) => response.includes("3.1 kg"))).toEqual([true, true]);
  });

  it("refuses in the configuration's words", async () => {
    expect(await rag.query("Who won the football world cup in 1998?")).toMatchObject({
      response: "That is not in here.",
      refused: true,
      citations: [],
    });
  });

  it("names the configuration file that is wrong", async () => {
    await expect(createRagMaster({ config: join(root, "none.yaml") })).rejects.toMatchObject({
      code: "config",
      message: expect.stringContaining("none.yaml: there is no such file"),
    });
  });
});
