import { describe, expect, it } from "vitest";
import { quantizeWeights } from "./quantize-weights.ts";
import { writeSafetensors } from "./safetensors.ts";
import { readWeights } from "./weights.ts";

const sines = (...shape: number[]) => ({
  shape,
  data: Float32Array.from({ length: shape.reduce((a, b) => a * b) }, (_, i) => Math.sin(i * i) / (1 + (i % 7))),
});
const weights = {
  "layer.weight": sines(128, 128),
  "layer.bias": sines(20_000),
  "embeddings.position_embeddings.weight": sines(512, 64),
  "span.weight": sines(2, 384),
};

describe("quantizeWeights", () => {
  it("makes large matrices int8 with a scale for each row, and keeps the rest", () => {
    const made = quantizeWeights(weights);
    expect(Object.entries(made).map(([name, { dtype, shape }]) => [name, dtype, shape])).toEqual([
      ["layer.weight", "I8", [128, 128]],
      ["layer.weight.scale", "F32", [128]],
      ["layer.bias", "F32", [20_000]],
      ["embeddings.position_embeddings.weight", "F32", [512, 64]],
      ["span.weight", "F32", [2, 384]],
    ]);
  });

  it("comes back from a file within half a scale, and unchanged where it was kept", () => {
    const back = readWeights(writeSafetensors(quantizeWeights(weights)));
    const { "layer.weight": large, ...kept } = weights;
    expect(back).toMatchObject(kept);
    for (let row = 0; row < 128; row++) {
      const of = (data: Float32Array): Float32Array => data.subarray(row * 128, row * 128 + 128);
      const [before, after] = [of(large.data), of(back["layer.weight"]!.data)];
      const scale = Math.max(...before.map(Math.abs)) / 127;
      expect(Math.max(...before.map((value, i) => Math.abs(value - after[i]!)))).toBeLessThanOrEqual(scale * 0.5001);
    }
  });

  it("reads views of larger arrays, and refuses NaN", () => {
    const whole = new Float32Array([9, 1, 2]);
    const { x } = quantizeWeights({ x: { data: whole.subarray(1), shape: [2] } });
    expect([...x!.bytes]).toEqual([0, 0, 0x80, 0x3f, 0, 0, 0, 0x40]);
    const broken = sines(128, 128);
    broken.data[300] = Number.NaN;
    expect(() => quantizeWeights({ x: broken })).toThrow(/row 2, column 44 is NaN/);
  });
});
