import { existsSync, readFileSync } from "node:fs";
import { ClaraError } from "@clara/core";
import { describe, expect, it } from "vitest";
import { linesOf, readRecords } from "../records/read-records.ts";
import { referenceRecords } from "./reference-records.ts";
import { type ReferenceRunOptions, referenceRun } from "./reference-run.ts";

const options: ReferenceRunOptions = {
  stage: "compression",
  dataset: ["/data/compression-questions.jsonl"],
  records: 1000,
  base: "/models/mistral",
  output: "/out/compression",
};

describe("referenceRun", () => {
  it("gives the settings of the reference's scripts, with ZeRO stage 1", () => {
    const { command, arguments: list, steps, notes } = referenceRun(options);
    expect(command).toBe(
      "torchrun --standalone --nproc_per_node=4 -m openrlhf.cli.train_sft --pretrain /models/mistral " +
        "--dataset /data/compression-questions.jsonl --stage stage1 --generation_top_k 1 --doc_max_length 256 " +
        "--compress_rate 32 --mse_loss --max_len 2048 --max_samples 1000 --max_epochs 1 --train_batch_size 128 " +
        "--micro_train_batch_size 2 --learning_rate 0.0001 --lr_scheduler cosine_with_min_lr --zero_stage 1 --bf16 " +
        "--seed 42 --save_path /out/compression --ckpt_path /out/compression/steps --save_steps -2 --logging_steps 1",
    );
    expect(command.split(" ").slice(1)).toEqual(list);
    expect(steps).toBe(7);
    expect(notes.join("\n")).toContain("104 records of each epoch fill no batch");
  });

  it("gives the other stages what their scripts have", () => {
    const checkpoint = "/out/compression";
    const flag = (stage: "instruction" | "endToEnd", name: string): string | undefined => {
      const list = referenceRun({ ...options, stage, checkpoint }).arguments;
      return list.includes(name) ? list[list.indexOf(name) + 1] : undefined;
    };
    expect(flag("instruction", "--stage")).toBe("stage1_2");
    expect(flag("instruction", "--generation_top_k")).toBe("5");
    expect(flag("instruction", "--pretrain_checkpoint")).toBe("/out/compression");
    expect(flag("instruction", "--mse_loss")).toBeDefined();
    expect(flag("endToEnd", "--stage")).toBe("stage2");
    expect(flag("endToEnd", "--learning_rate")).toBe("0.000005");
    expect(flag("endToEnd", "--lr_scheduler")).toBe("constant");
    expect(flag("endToEnd", "--train_batch_size")).toBe("32");
    expect(flag("endToEnd", "--max_len")).toBe("1024");
    expect(flag("endToEnd", "--mse_loss")).toBeUndefined();
  });

  it("gives the commands that the page about training at scale shows", () => {
    const page = readFileSync(new URL("../../../../docs/training-at-scale.md", import.meta.url), "utf8");
    const shown = page.replaceAll(/\s*\\\n\s*/g, " ");
    const base = "/models/Mistral-7B-Instruct-v0.2";
    const runs: ReferenceRunOptions[] = [
      { ...options, base, records: 500_000 },
      {
        ...{ stage: "instruction", dataset: ["/data/instruction.jsonl"], records: 500_000, base },
        ...{ checkpoint: "/out/compression", output: "/out/instruction" },
      },
      {
        ...{ stage: "endToEnd", dataset: ["/data/endToEnd.jsonl"], records: 100_000, base },
        ...{ checkpoint: "/out/instruction", output: "/out/end-to-end" },
      },
    ];
    for (const run of runs) expect(shown).toContain(`${referenceRun(run).command}\n`);
  });

  it("quotes paths for a shell", () => {
    expect(referenceRun({ ...options, output: "it's here" }).command).toContain("--save_path 'it'\\''s here'");
  });

  it("refuses what would crash or train nothing", () => {
    const refuse = (changes: Partial<ReferenceRunOptions>, message: string): void => {
      expect(() => referenceRun({ ...options, ...changes })).toThrow(ClaraError);
      expect(() => referenceRun({ ...options, ...changes })).toThrow(message);
    };
    refuse({ records: 127 }, "a step takes 128 records, got 127");
    refuse({ gpus: 3 }, "batch must be a multiple of microBatch times gpus (6), got 128");
    refuse({ stage: "endToEnd" }, "stage endToEnd needs the checkpoint of the stage before");
    refuse({ rate: 512 }, "rate 512 leaves no memory token");
    refuse({ dataset: ["a,b.jsonl"] }, 'splits paths at "," and "@"');
    refuse({ dataset: [] }, "dataset must name a file");
    refuse({ epochs: 0.5 }, "epochs must be a whole number above 0, got 0.5");
  });
});

describe("referenceRecords", () => {
  const read = async (records: object[], stage: "compression" | "endToEnd", documents = 1) =>
    (
      await readRecords(
        records.map((record) => JSON.stringify(record)),
        { stage, documents },
      )
    ).records;

  it("puts questions and paraphrases into files of their own", async () => {
    const records = await read(
      [
        { question: "q", answers: ["a"], docs: ["d"] },
        { data_type: "paraphrase", answers: ["p"], docs: ["d"] },
      ],
      "compression",
    );
    const { datasets, changed } = referenceRecords("compression", records);
    expect(changed).toEqual([]);
    expect(datasets.map(({ name, records, lines }) => [name, records, [...lines()].join("")])).toEqual([
      ["compression-questions.jsonl", 1, '{"data_type":"qa","question":["q"],"answers":["a"],"docs":["d"]}\n'],
      ["compression-paraphrase.jsonl", 1, '{"data_type":"paraphrase","question":[""],"answers":["p"],"docs":["d"]}\n'],
    ]);
  });

  it("breaks names of special tokens, which the reference would take for tokens", async () => {
    const docs = ["a <MEM0> b</s>", "<b> <|im_end|> 1 < s>"];
    const records = await read([{ question: "q", answer: "<SEP>", docs }], "endToEnd");
    const { datasets, changed } = referenceRecords("endToEnd", records, { documents: 2 });
    expect(changed).toEqual([{ line: 1, problem: "names <MEM0>, </s>, <|im_end|>, <SEP>" }]);
    expect(JSON.parse([...datasets[0]!.lines()][0]!)).toEqual({
      question: "q",
      answer: "< SEP>",
      docs: ["a < MEM0> b< /s>", "<b> < |im_end|> 1 < s>"],
    });
  });

  it("refuses numbers of documents that the reference would mix up", async () => {
    const lines = [3, 2, 1].map((count) => ({ question: "q", answer: "a", docs: Array(count).fill("d") }));
    const records = await read(lines, "endToEnd");
    expect(() => referenceRecords("endToEnd", records, { documents: 1 })).toThrow(
      "line 2 has 2 documents; the first record has 3, and all must have as many",
    );
    expect(() => referenceRecords("endToEnd", records.slice(2), { documents: 2 })).toThrow("1 documents for 2 places");
    expect(() => referenceRecords("instruction", records)).toThrow("line 1 has 3 documents; it needs 5");
    expect(() => referenceRecords("compression", records)).toThrow('is of kind "answer"');
  });

  const fixtures = new URL("../../../../../shared/fixtures/clara-tiny/", import.meta.url);
  it.skipIf(!existsSync(fixtures))("gives the reference's own files back (needs ../shared/fixtures)", async () => {
    for (const [name, stage, documents] of [
      ["stage1", "compression", 1],
      ["stage1-paraphrase", "compression", 1],
      ["stage2", "endToEnd", 2],
    ] as const) {
      const file = readFileSync(new URL(`data/${name}.jsonl`, fixtures));
      const { records } = await readRecords(linesOf(file), { stage, documents });
      const { datasets, changed } = referenceRecords(stage, records, { documents });
      expect(changed).toEqual([]);
      expect([...datasets[0]!.lines()].map((line) => JSON.parse(line))).toEqual(
        [...linesOf(file)].map((line) => JSON.parse(line)),
      );
    }
  });
});
