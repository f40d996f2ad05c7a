import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { createEngine, type Engine } from "@clara/engine";
import { readSafetensors, writeSafetensors } from "@clara/model";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { runHere } from "../testing/run-command.ts";
import { type Verification, verifyCheckpoint } from "./index.ts";
import { type Change, cut, folderLike, json, numbers } from "./testing/folder-like.ts";

const fixtures = fileURLToPath(new URL("../../../../../shared/fixtures", import.meta.url));
const shared = existsSync(fixtures);

/** Left out: what is of the same kind as something that stays. The command itself reads all in a minute. */
const alike = ["stage1-qa", "stage1-paraphrase", "stage1_2"].flatMap((name) => [
  `forward/${name}.json`,
  `forward/${name}.safetensors`,
]);

/** One change in each kind of file, and the checks that must fail by it, and no others. */
const damages: readonly (readonly [file: string, change: Change, fails: readonly string[]])[] = [
  ["base-forward.json", json((x) => x.inputs[0].input_ids.push(5)), ["base-forward/input_ids", "base-forward/0"]],
  ["base-forward.safetensors", numbers(["hidden1/1", "logits2"]), ["base-forward/hidden1", "base-forward/logits2"]],
  ["tokenizer-metaspace/tokenizer.json", cut, ["tokenization/tokenizer-metaspace"]],
  [
    "tokenization.json",
    json((x) => {
      x.texts[3].base.ids[0]++;
      x.added_tokens.base["<SEP>"]++;
      x.chats[1].rendered += " ";
    }),
    ["added_tokens", "ids", "decoded", "decoded_with_special", "chats", "chat_ids"].map(
      (key) => `tokenization/base/${key}`,
    ),
  ],
  ["prompts.json", json((x) => x.prompts[1].prompt_tokens++), ["prompts/standard/prompt_tokens"]],
  ["schedule.json", json((x) => (x[5].lr_used_per_step[0] *= 1.1)), ["schedule/5 constant"]],
  ["topk.json", json((x) => x.cases[3].indices[0].reverse()), ["topk/3 close scores/indices"]],
  ["topk.safetensors", numbers(["4/soft", "5/grad_scores"]), ["topk/4 tau 0.5/soft", "topk/5 tau 1/gradients"]],
  ["metrics.json", json((x) => (x.best_alias_mean.f1 += 1e-6)), ["metrics/best_alias_mean"]],
  ["retrieval-metrics.json", json((x) => (x.cases[2]["recall@3"] += 0.1)), ["retrieval-metrics/cases"]],
  ["extract-answers.json", json((x) => x.cases[0].answers.push("")), ["extract-answers"]],
  [
    "reader.json",
    json((x) => {
      x.batches.stage1.batch.labels[0][120]++;
      x.records[0].answer = "b";
    }),
    ["reader/stage1/labels", "reader/record 0"],
  ],
  ["data/stage1-paraphrase.jsonl", (bytes) => bytes.subarray(9), ["reader/stage1-paraphrase"]],
  [
    "checkpoints.json",
    json((x) => (x["checkpoints/rate8/stage2-bf16"].sum_and_absmax["first_last/lm_head.weight"][0] += 1e-3)),
    ["checkpoints/rate8/stage2-bf16/sums"],
  ],
  [
    "checkpoints/rate20/stage1/adapters.pth",
    (bytes) => Buffer.from(bytes).fill(1, 400_000, 400_004),
    ["checkpoints/rate20/stage1/tensors", "checkpoints/rate20/stage1/again"],
  ],
  ["optimizer.json", json((x) => x.steps[4].grad_norm_before_clip++), ["optimizer/grad_norm_before_clip"]],
  ["optimizer.safetensors", numbers(["b/6"], 0.001), ["optimizer/parameters"]],
  [
    "compress/rate8-stage2.json",
    json((x) => x.input_ids[1].reverse()),
    ["compress/rate8-stage2/input_ids", "compress/rate8-stage2/mse"],
  ],
  ["compress/rate8-stage2.safetensors", numbers(["memory"], 0.001), ["compress/rate8-stage2/memory"]],
  [
    "forward/stage1-paraphrase.json",
    json((x) => {
      x.loss.total += 0.001;
      x.answers[0][0] = "No.";
    }),
    ["rows/prompts", "rows/labels", "rows/memory_mask", "rows/dec_text", "loss.total"].map(
      (key) => `forward/stage1-paraphrase/${key}`,
    ),
  ],
  [
    "forward/stage1-paraphrase.safetensors",
    numbers(
      [
        ...["memory", "logits_at_labels", "grad_ce_wrt_memory", "grad_mse/memory_rows"],
        "grad_ce/encoder_adapter/model.layers.0.mlp.up_proj.lora_A.weight",
        "grad_total/decoder_adapter/model.layers.1.self_attn.o_proj.lora_B.weight",
      ],
      0.01,
    ),
    [
      ...["memory", "logits_at_labels", "grad_ce_wrt_memory", "grad_mse/memory_rows"],
      ...["grad_ce/encoder_adapter", "grad_total/decoder_adapter"],
    ].map((key) => `forward/stage1-paraphrase/${key}`),
  ],
  ["training/stage1_2.json", json((x) => (x.steps[2].lr_used *= 1.001)), ["training/stage1_2/lr_used"]],
  [
    "training/stage1_2.safetensors",
    // A hundredth of the parameter's size, and half of what a step changes.
    numbers(["step4/encoder_adapter/model.layers.2.mlp.down_proj.lora_B.weight"], 5e-5),
    ["training/stage1_2/step4/encoder_adapter"],
  ],
  ["generation.json", json((x) => x[0].token_ids[0].splice(3, 1)), ["generation/0 generate_from_paraphrase/token_ids"]],
  [
    "quirks.json",
    json((x) => {
      x.stage1_fresh.embedding_requires_grad = false;
      x.gradient_accumulation_in_deepspeed.zero_stage_1_grad_norm_step_1 = 11.65;
    }),
    ["quirks/stage1_fresh", "quirks/gradient_accumulation_in_deepspeed"],
  ],
];

describe.skipIf(!shared)("verifyCheckpoint over the fixtures (needs ../shared/fixtures)", () => {
  let home: string;
  let engine: Engine;
  beforeAll(async () => {
    home = mkdtempSync(join(tmpdir(), "clara-verify-"));
    engine = await createEngine({ prefer: "compiled", threads: 1 });
  });
  afterAll(async () => {
    await engine?.dispose();
    if (home) rmSync(home, { recursive: true, force: true });
  });
  const verify = (path: string, only?: readonly string[]): Promise<Verification> =>
    verifyCheckpoint(path, { engine: async () => engine, only });
  const failing = ({ checks }: Verification): string[] =>
    checks
      .filter(({ passed }) => !passed)
      .map(({ name }) => name)
      .sort();

  it("passes all checks, and skips by name what cannot be one", async () => {
    const folder = folderLike(join(fixtures, "clara-tiny"), join(home, "whole"), { without: alike });
    const found = await verify(folder);
    expect(failing(found)).toEqual([]);
    expect(found.passed).toBeGreaterThan(350);
    expect(found.skippedChecks.filter(({ name }) => !name.startsWith("quirks/"))).toEqual([
      skipped("topk/8 tau 0 becomes 1e-6"),
      skipped("topk/13 padding by -inf (not a feature of the reference)"),
      { name: "training/stage2/mse", reason: expect.stringMatching(/without a gradient/) },
    ]);
  });
  const skipped = (name: string) => ({ name: `${name}/soft and gradients`, reason: expect.any(String) });

  it("fails the right checks, and only those, for one change in each kind of file", async () => {
    const folder = folderLike(join(fixtures, "clara-tiny"), join(home, "damaged"), {
      changed: Object.fromEntries(damages.map(([file, change]) => [file, change])),
      without: [
        ...["stage1-qa", "stage1_2", "stage2", "stage1-qa-rate20"].map((name) => `forward/${name}.json`),
        ...[
          "training/stage1.json",
          "training/stage2.json",
          "compress/rate8-stage1.json",
          "compress/rate20-stage1.json",
        ],
      ],
    });
    const found = await verify(folder);
    expect(failing(found)).toEqual(damages.flatMap(([, , fails]) => fails).sort());
    for (const { passed, reason } of found.checks) expect(passed || (reason ?? "") !== "").toBe(true);
    // Its batch, that of stage2, has been left out.
    expect(found.skippedChecks).toContainEqual({ name: "forward/retrieval-loss", reason: expect.any(String) });
  });

  it("skips what a folder lacks, whatever that is", async () => {
    const files = ["base", "data", "checkpoints.json", "forward", "training/stage1.safetensors", "quirks.json"];
    const folder = folderLike(join(fixtures, "clara-tiny"), join(home, "without"), { without: files });
    const found = await verify(folder);
    expect(failing(found)).toEqual([]);
    expect(found.passed).toBeGreaterThan(100);
    const names = found.skippedChecks.map(({ name }) => name);
    for (const name of [
      "base-forward",
      "forward",
      "prompts",
      "compress/rate8-stage1",
      "training/stage1",
      "reader/stage1",
    ]) {
      expect(names).toContain(name);
    }
  });

  it("takes a base whose table is longer than its tokenizer, which the reference cuts", async () => {
    const rows = 20;
    const longer: Change = (bytes) => {
      const tensors = Object.entries(readSafetensors(bytes).tensors).map(([name, { shape, ...tensor }]) => {
        if (!/embed_tokens|lm_head/.test(name)) return [name, { ...tensor, shape }] as const;
        const more = Buffer.alloc(rows * shape[1]! * 4, 1);
        const grown = [shape[0]! + rows, shape[1]!];
        return [name, { ...tensor, shape: grown, bytes: Buffer.concat([tensor.bytes, more]) }] as const;
      });
      return writeSafetensors(Object.fromEntries(tensors));
    };
    const folder = folderLike(join(fixtures, "clara-tiny"), join(home, "longer"), {
      changed: { "base/config.json": json((x) => (x.vocab_size += rows)), "base/model.safetensors": longer },
    });
    const found = await verify(folder, ["checkpoints", "compress", "quirks"]);
    expect(failing(found)).toEqual([]);
    expect(found.passed).toBeGreaterThan(50);
  });

  it("takes decoders of four families, alone or in one folder", async () => {
    const ran = await runHere(["verify-checkpoint", join(fixtures, "decoders"), "--json", "--quiet"], { cwd: home });
    expect([ran.code, ran.stderr]).toEqual([0, ""]);
    const all: Verification = JSON.parse(ran.stdout);
    expect([all.passed, all.failed, all.skipped]).toEqual([28, 0, 0]);
    const folder = folderLike(join(fixtures, "decoders/qwen3"), join(home, "qwen3"), {
      changed: {
        "expected.safetensors": numbers(["logits_from_embeds", "grad.model.layers.0.mlp.gate_proj.weight"], 0.01),
      },
    });
    expect(failing(await verify(folder))).toEqual(["decoder/gradients", "decoder/logits_from_embeds"]);
  });
});
