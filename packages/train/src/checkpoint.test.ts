import { readSafetensors, writeSafetensors } from "@clara/model";
import { describe, expect, it } from "vitest";
import { type Checkpoint, decodeCheckpoint, encodeCheckpoint } from "./checkpoint.ts";

const numbers = (...values: number[]): Float32Array => new Float32Array(values);
const saved: Checkpoint = {
  recipe: "reader",
  step: 7,
  position: { epoch: 1, cursor: 96 },
  params: {
    "layers.0.weight": { data: numbers(1, -2.5, 3e-39, 0), shape: [2, 2] },
    // Its name begins as another kind's prefix does.
    "first.bias": { data: numbers(5), shape: [1] },
  },
  optimizer: { step: 7, moments: { "layers.0.weight": { first: numbers(1, 2, 3, 4), second: numbers(4, 3, 2, 1) } } },
};

describe("a checkpoint", () => {
  it("comes back as it was, bit for bit", () => {
    const bytes = encodeCheckpoint(saved);
    expect(decodeCheckpoint(bytes, "reader")).toEqual(saved);
    expect(encodeCheckpoint(decodeCheckpoint(bytes, "reader"))).toEqual(bytes);
  });

  it("keeps no hold of the file's bytes", () => {
    const bytes = encodeCheckpoint(saved);
    const { params } = decodeCheckpoint(bytes, "reader");
    bytes.fill(0);
    expect(params["first.bias"]!.data[0]).toBe(5);
  });

  it("comes back from a Buffer, whose slices are views", () => {
    const file = Buffer.concat([Buffer.alloc(24), encodeCheckpoint(saved)]).subarray(24);
    expect(decodeCheckpoint(file, saved.recipe)).toEqual(saved);
  });

  it("takes views of larger arrays", () => {
    const whole = numbers(9, 8, 7, 6);
    const params = { x: { data: whole.subarray(1, 3), shape: [2] } };
    const bytes = encodeCheckpoint({ ...saved, params });
    expect(decodeCheckpoint(bytes, "reader").params.x).toEqual({ data: numbers(8, 7), shape: [2] });
  });

  it("of another recipe is refused, with what to do", () => {
    expect(() => decodeCheckpoint(encodeCheckpoint(saved), "tiny")).toThrow(
      /the checkpoint is of "reader", this run is "tiny"; resume with its own recipe, or start anew in another folder/,
    );
  });

  it("that is none, or cut off, is refused", () => {
    const model = writeSafetensors({ x: { dtype: "F32", shape: [1], bytes: new Uint8Array(4) } });
    expect(() => decodeCheckpoint(model, "reader")).toThrow(/not a training checkpoint \(format none\)/);
    const bytes = encodeCheckpoint(saved);
    expect(() => decodeCheckpoint(bytes.subarray(0, -4), "reader")).toThrow(/the file is cut/);
    expect(() => decodeCheckpoint(new Uint8Array(3), "reader")).toThrow(/readSafetensors/);
  });

  it("with a moment missing, or a state that is none, is refused", () => {
    const { tensors, metadata } = readSafetensors(encodeCheckpoint(saved));
    const { "second.layers.0.weight": _, ...rest } = tensors;
    expect(() => decodeCheckpoint(writeSafetensors(rest, metadata), "reader")).toThrow(
      /second\.layers\.0\.weight is missing/,
    );
    for (const state of ["{", "null", '{"recipe":"reader"}', '{"recipe":"reader","step":-1}']) {
      expect(() => decodeCheckpoint(writeSafetensors(tensors, { ...metadata, state }), "reader"), state).toThrow(
        expect.objectContaining({ code: "weights" }),
      );
    }
  });
});
