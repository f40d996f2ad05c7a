import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createEngine } from "@clara/engine";
import { writeSafetensors } from "@clara/model";
import { expect, it } from "vitest";
import { verifyCheckpoint } from "./index.ts";

it("verifyCheckpoint decays vectors too, as the reference's optimizer does and ours does not by itself", async () => {
  const home = mkdtempSync(join(tmpdir(), "clara-optimizer-"));
  const engine = await createEngine({ prefer: ["compiled"], threads: 1 });
  try {
    const vector = (...data: number[]) => {
      return { dtype: "F32", shape: [2], bytes: new Uint8Array(Float32Array.from(data).buffer) } as const;
    };
    // A first step of Adam moves by the rate, against the gradient; decay takes rate · 0.5 of each number before.
    const tensors = { "v/0": vector(2, -4), "grad_v/1": vector(3, -4), "v/1": vector(1.8, -3.7) };
    writeFileSync(join(home, "optimizer.safetensors"), writeSafetensors(tensors));
    const file = { lr: 0.1, betas: [0.9, 0.95], eps: 1e-8, weight_decay: 0.5, max_norm: 100, schedule: "constant" };
    const steps = [{ step: 1, lr_used: 0.1, grad_norm_before_clip: 5 }];
    writeFileSync(join(home, "optimizer.json"), JSON.stringify({ ...file, warmup_steps: 0, total_steps: 1, steps }));
    const { checks } = await verifyCheckpoint(home, { engine: async () => engine, only: ["optimizer"] });
    expect(checks.map(({ name, passed }) => [name, passed])).toEqual([
      ["optimizer/lr_used", true],
      ["optimizer/grad_norm_before_clip", true],
      ["optimizer/parameters", true],
    ]);
  } finally {
    await engine.dispose();
    rmSync(home, { recursive: true, force: true });
  }
});
