import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ClaraError } from "@clara/core";
import { decode, decoderArrays, decoderLogits, nestDecoder, parseDecoderConfig, writeSafetensors } from "@clara/model";
import { tf } from "@clara/tensor";
import { type ReferenceCheckpoint, random, writeReferenceCheckpoint } from "@clara/train";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { runHere } from "../testing/run-command.ts";
import { createChecks } from "./check.ts";
import { compute, tensorsOf } from "./compute.ts";
import { MissingFile } from "./folder.ts";
import { verifyCheckpoint } from "./index.ts";
import { cut, folderLike, json, numbers } from "./testing/folder-like.ts";

let home: string;
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), "clara-verify-"));
});
afterEach(() => rmSync(home, { recursive: true, force: true }));

const engine = (): never => {
  throw new Error("needs no engine");
};
function save(path: string, content: Uint8Array | object): void {
  mkdirSync(join(home, path, ".."), { recursive: true });
  writeFileSync(join(home, path), content instanceof Uint8Array ? content : JSON.stringify(content));
}
const verify = (path: string) => verifyCheckpoint(join(home, path), { engine });
const failing = async (path: string): Promise<string[]> =>
  (await verify(path)).checks.filter(({ passed }) => !passed).map(({ name }) => name);

const floats = (shape: number[], seed: number, scale = 1) => {
  const { next } = random(seed);
  return { shape, data: Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => scale * (next() - 0.5)) };
};
const stored = ({ data, shape }: { data: ArrayLike<number>; shape: readonly number[] }) => {
  const bytes = new Uint8Array(Float32Array.from(data).buffer);
  return { dtype: "F32", shape: [...shape], bytes } as const;
};

/** A Llama of one layer with its own numbers as the expected ones. */
async function saveDecoder(path: string): Promise<void> {
  const [D, F, V] = [8, 12, 11];
  const config = {
    ...{ model_type: "llama", hidden_size: D, num_hidden_layers: 1, num_attention_heads: 2, num_key_value_heads: 1 },
    ...{ intermediate_size: F, vocab_size: V, rms_norm_eps: 1e-5, rope_theta: 10000 },
  };
  const layer = "model.layers.0";
  const sizes: Record<string, number[]> = {
    ...{ "model.embed_tokens.weight": [V, D], "model.norm.weight": [D], "lm_head.weight": [V, D] },
    ...{ [`${layer}.self_attn.q_proj.weight`]: [D, D], [`${layer}.self_attn.k_proj.weight`]: [4, D] },
    ...{ [`${layer}.self_attn.v_proj.weight`]: [4, D], [`${layer}.self_attn.o_proj.weight`]: [D, D] },
    ...{ [`${layer}.mlp.gate_proj.weight`]: [F, D], [`${layer}.mlp.up_proj.weight`]: [F, D] },
    ...{ [`${layer}.mlp.down_proj.weight`]: [D, F], [`${layer}.input_layernorm.weight`]: [D] },
    [`${layer}.post_attention_layernorm.weight`]: [D],
  };
  const weights = Object.fromEntries(Object.entries(sizes).map(([name, shape], i) => [name, floats(shape, i, 2)]));
  const shape = parseDecoderConfig(config);
  const { states, logits } = await compute(() => {
    const params = nestDecoder(tensorsOf(decoderArrays(weights, shape)));
    const ids = tf.tensor2d([[1, 5, 9]], undefined, "int32");
    const states = decode(params, { ids, mask: tf.onesLike(ids) }, shape);
    return { states, logits: decoderLogits(params, tf.reshape(states, [3, D])) };
  });
  const ids = (...of: number[]) =>
    ({ dtype: "I32", shape: [1, 3], bytes: new Uint8Array(Int32Array.from(of).buffer) }) as const;
  save(`${path}/config.json`, config);
  save(
    `${path}/model.safetensors`,
    writeSafetensors(Object.fromEntries(Object.entries(weights).map(([k, w]) => [k, stored(w)]))),
  );
  const expected = {
    ...{ input_ids: ids(1, 5, 9), attention_mask: ids(1, 1, 1), last_hidden_state: stored(states) },
    logits: stored({ data: logits.data, shape: [1, 3, V] }),
  };
  save(`${path}/expected.safetensors`, writeSafetensors(expected));
}

/** A checkpoint of one small matrix per adapter, listed, and some of the files that need no model. */
function saveReference(path: string): void {
  const adapter = (seed: number) => ({
    "model.layers.0.self_attn.q_proj.lora_A.weight": floats([2, 4], seed),
    "model.layers.0.self_attn.q_proj.lora_B.weight": floats([4, 2], seed + 1),
  });
  const checkpoint: ReferenceCheckpoint = {
    config: { stage: "compression", documentTokens: 8, rate: 4, rank: 2, documents: 1 },
    adapters: { compressor: adapter(1), generator: adapter(3) },
    tables: { "model.embed_tokens.weight": floats([9, 4], 5), "lm_head.weight": floats([9, 4], 6) },
  };
  const own = "checkpoints/rate4/stage1";
  for (const [name, bytes] of Object.entries(writeReferenceCheckpoint(checkpoint, { base: "base" }))) {
    save(`${path}/${own}/${name}`, bytes);
  }
  const named = { decoder_adapter: checkpoint.adapters.generator!, encoder_adapter: checkpoint.adapters.compressor! };
  const sums = (prefix: string, tensors: Readonly<Record<string, { data: Float32Array }>>) =>
    Object.entries(tensors).map(([name, { data }]) => [
      `${prefix}/${name}`,
      [data.reduce((a, b) => a + b, 0), data.reduce((a, b) => Math.max(a, Math.abs(b)), 0)],
    ]);
  save(`${path}/checkpoints.json`, {
    [own]: {
      adapters: Object.fromEntries(
        Object.entries(named).map(([name, tensors]) => [
          name,
          Object.fromEntries(
            Object.entries(tensors).map(([key, { shape }]) => [key, { shape, dtype: "torch.float32" }]),
          ),
        ]),
      ),
      first_last: Object.fromEntries(Object.entries(checkpoint.tables).map(([name, { shape }]) => [name, shape])),
      sum_and_absmax: Object.fromEntries([
        ...Object.entries(named).flatMap(([name, tensors]) => sums(name, tensors)),
        ...sums("first_last", checkpoint.tables),
      ]),
    },
  });
  save(`${path}/extract-answers.json`, { cases: [{ text: "<answer> a </answer>", answers: ["a"] }] });
  const rates = [0, 0.5, 0.275, 0.05].map((rate) => 0.2 * rate);
  const schedule = { kind: "cosine_with_min_lr", total_steps: 3, warmup_steps: 1, learning_rate: 0.1 };
  save(`${path}/schedule.json`, [{ ...schedule, lr_used_per_step: [rates[0], rates[1], rates[2]] }]);
}

describe("verifyCheckpoint", () => {
  it("compares a decoder with what is recorded beside it, and skips what is not", async () => {
    await saveDecoder("llama");
    const { checks, skippedChecks, ...counts } = await verify("llama");
    expect(checks.map(({ name, passed }) => [name, passed])).toEqual([
      ["decoder/last_hidden_state", true],
      ["decoder/logits", true],
    ]);
    expect(counts).toEqual({ passed: 2, failed: 0, skipped: skippedChecks.length });
    expect(skippedChecks).toContainEqual({ name: "decoder/greedy_ids", reason: "is not recorded" });
  });

  it("compares every decoder in a folder, and says which of them is damaged", async () => {
    await saveDecoder("both/one");
    folderLike(join(home, "both/one"), join(home, "both/two"), {
      changed: { "expected.safetensors": numbers(["logits"], 0.01) },
    });
    folderLike(join(home, "both/one"), join(home, "both/cut"), { changed: { "model.safetensors": cut } });
    folderLike(join(home, "both/one"), join(home, "both/none"), { without: ["config.json"] });
    expect(await failing("both")).toEqual(["cut", "two/logits"]);
    const { checks, skippedChecks } = await verify("both");
    expect(checks.find(({ name }) => name === "cut")).toMatchObject({ maxError: null });
    expect(checks.find(({ name }) => name === "cut")!.reason).toMatch(/model\.safetensors: the file is cut/);
    expect(checks.find(({ name }) => name === "two/logits")!.reason).toMatch(
      /^at \[0,0\] expected .*, got .*: differs by 0\.0(1|0999)/,
    );
    expect(skippedChecks).toContainEqual({ name: "none", reason: "needs none/config.json" });
  });

  it("compares checkpoints of the reference with their list, whatever their sizes", async () => {
    saveReference("clara");
    const { checks, failed, skippedChecks } = await verify("clara");
    expect(checks.filter(({ passed }) => !passed)).toEqual([]);
    expect([checks.length, failed]).toEqual([9, 0]);
    expect(skippedChecks).toContainEqual({ name: "metrics", reason: "needs metrics.json" });
    expect(skippedChecks).toContainEqual({ name: "forward", reason: "needs files in forward/" });
  });

  it("names the check of what has been changed", async () => {
    saveReference("clara");
    const own = "checkpoints/rate4/stage1";
    const changed = (path: string, changes: Parameters<typeof folderLike>[2]) => {
      folderLike(join(home, "clara"), join(home, path), changes);
      return failing(path);
    };
    expect(await changed("a", { changed: { [`${own}/adapters.pth`]: cut } })).toEqual([
      `${own}/tensors`,
      `${own}/again`,
    ]);
    const largest = json((file) => {
      file[own].sum_and_absmax["first_last/lm_head.weight"][1] += 1e-6;
    });
    expect(await changed("b", { changed: { "checkpoints.json": largest } })).toEqual([`${own}/absmax`]);
    const shape = json((file) => {
      file[own].first_last["lm_head.weight"][0]++;
    });
    expect(await changed("c", { changed: { "checkpoints.json": shape } })).toEqual([
      `${own}/decoder_first_last_layers.pth`,
    ]);
    const rate = json((file) => {
      file[0].lr_used_per_step[1] += 1e-9;
    });
    expect(await changed("d", { changed: { "schedule.json": rate } })).toEqual(["schedule/0 cosine_with_min_lr"]);
    const noJson = {
      changed: { "extract-answers.json": () => Buffer.from("{"), "checkpoints.json": json((x) => delete x[own]) },
    };
    expect(await changed("e", noJson)).toEqual(["extract-answers"]);
    const strange = { changed: { "extract-answers.json": () => Buffer.from('{"cases":5}') } };
    expect(await changed("f", strange)).toEqual(["extract-answers"]);
  });

  it("refuses a folder that is of neither kind", async () => {
    save("other/readme.txt", {});
    await expect(verify("other")).rejects.toThrow(/other: has neither recorded values .* nor those of a decoder/);
    await expect(verify("nowhere")).rejects.toThrow("nowhere: no such folder");
    await expect(verify("other/readme.txt")).rejects.toThrow("readme.txt: is a file, a folder is needed");
    save("clara/forward/x.json", {});
    const only = verifyCheckpoint(join(home, "clara"), { engine, only: ["forwards"] });
    await expect(only).rejects.toThrow(/there are no checks "forwards"; there are checkpoints, /);
  });

  it("says which files it does not know, and compares the others", async () => {
    saveReference("more");
    save("more/future.json", { pairs: [] });
    save("more/forward/about.json", { note: "written by hand" });
    save("more/notes.txt", {});
    const { failed, passed, skippedChecks } = await verify("more");
    expect([failed, passed]).toEqual([0, 9]);
    expect(skippedChecks).toContainEqual({ name: "future.json", reason: "is not known" });
    expect(skippedChecks).toContainEqual({ name: "forward/about", reason: "is of no form that is known" });
    expect(skippedChecks.map(({ name }) => name)).not.toContain("notes.txt");
  });

  it("knows the schedules of Transformers that Clara has, and ends a cosine where the file says", async () => {
    const common = { total_steps: 4, warmup_steps: 2, learning_rate: 0.1 };
    save("schedules/schedule.json", [
      { kind: "constant_with_warmup", ...common, lr_used_per_step: [0, 0.05, 0.1, 0.1] },
      { kind: "linear", ...common, lr_used_per_step: [0, 0.05, 0.1, 0.05] },
      { kind: "cosine_with_min_lr", ...common, min_lr: 0.04, lr_used_per_step: [0, 0.05, 0.1, 0.07] },
      { kind: "polynomial", ...common, lr_used_per_step: [0] },
    ]);
    const { checks, skippedChecks } = await verify("schedules");
    expect(checks.map(({ name, passed }) => [name, passed])).toEqual([
      ["schedule/0 constant_with_warmup", true],
      ["schedule/1 linear", true],
      ["schedule/2 cosine_with_min_lr", true],
    ]);
    expect(skippedChecks).toContainEqual({
      name: "schedule/3 polynomial",
      reason: "is a schedule that Clara has not",
    });
  });

  it("stops when it is told to", async () => {
    saveReference("clara");
    const signal = AbortSignal.abort();
    await expect(verifyCheckpoint(join(home, "clara"), { engine, signal })).rejects.toThrow("stopped by the caller");
  });
});

describe("verify-checkpoint, the command", () => {
  const run = (...args: string[]) => runHere(["verify-checkpoint", ...args, "--quiet"], { cwd: home });

  it("prints one JSON value, or a table that says what failed and why", async () => {
    saveReference("good");
    const good = await run(join(home, "good"), "--json");
    expect(good).toMatchObject({ code: 0, stderr: "" });
    expect(JSON.parse(good.stdout)).toMatchObject({ passed: 9, failed: 0 });
    expect(JSON.parse(good.stdout).checks[0]).toEqual({
      ...{ name: "checkpoints/rate4/stage1/adapters.pth", passed: true, maxError: 0, tolerance: 0 },
    });
    const path = folderLike(join(home, "good"), join(home, "bad"), {
      changed: { "extract-answers.json": json((file) => (file.cases[0].answers[0] = "b")) },
    });
    const bad = await run(path, "--only", "extract-answers");
    expect(bad.code).toBe(1);
    expect(bad.stdout).toMatch(
      /FAIL extract-answers +1\.0e\+0 +0\n +1 differ; \[0\]\[0\] should be "b", is "a"\n0 passed, 1 failed/,
    );
    expect(bad.stderr).toBe("error: verify-checkpoint: 1 of 1 checks failed: extract-answers\n");
    const json1 = await run(path, "--only", "extract-answers", "--json");
    expect([json1.code, JSON.parse(json1.stdout).failed]).toEqual([1, 1]);
  });

  it("does not call it a success that nothing could be compared", async () => {
    saveReference("good");
    const ran = await run(join(home, "good"), "--only", "metrics");
    expect(ran).toMatchObject({ code: 1, stderr: expect.stringContaining("no check could be made; all were skipped") });
    expect(await run(join(home, "nowhere"))).toMatchObject({
      code: 1,
      stderr: expect.stringContaining("no such folder"),
    });
    expect((await run(join(home, "good"), "--only", "all")).code).toBe(2);
  });
});

describe("createChecks", () => {
  it("skips what is left of a part whose file is missing, and fails one that stumbles", async () => {
    const checks = createChecks();
    await checks.attempt("missing", () => {
      throw new MissingFile("x.json");
    });
    await checks.attempt("damaged", () => {
      throw new ClaraError("weights", "x.pth: is cut\nsecond line");
    });
    await checks.attempt("stumbles", () => (undefined as unknown as string).length);
    expect(checks.skipped).toEqual([{ name: "missing", reason: "needs x.json" }]);
    expect(checks.list.map(({ name, reason }) => [name, reason])).toEqual([
      ["damaged", "x.pth: is cut"],
      ["stumbles", expect.stringMatching(/^a file has not the form that it should have: Cannot read/)],
    ]);
  });

  it("takes the worst part, NaN before all, and fails without any", () => {
    const checks = createChecks();
    const part = (error: number) => ({ what: `${error}`, error });
    checks.worst("numbers", [part(1), part(3), part(2)], 2);
    checks.worst("nan", [part(1), part(Number.NaN), part(Number.POSITIVE_INFINITY)], 2);
    checks.worst("none", [], 2);
    checks.worst("fine", [part(2)], 2);
    expect(checks.list.map(({ passed, maxError }) => [passed, maxError])).toEqual([
      [false, 3],
      [false, null],
      [false, null],
      [true, 2],
    ]);
  });

  it("knows a refusal from another error", async () => {
    const checks = createChecks();
    await checks.refuses("refused", () => {
      throw new ClaraError("option", "no");
    });
    await checks.refuses("accepted", () => 1);
    expect(checks.list.map(({ name, passed }) => [name, passed])).toEqual([
      ["refused", true],
      ["accepted", false],
    ]);
    await expect(checks.refuses("broken", () => Promise.reject(new TypeError("x")))).rejects.toThrow("x");
  });
});
