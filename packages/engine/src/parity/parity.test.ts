import { tf } from "@clara/tensor";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createEngine, type Engine } from "../engine.ts";
import { type Computed, eager, expectGolden, expectSameGradients, readGolden, trained } from "./compare.testing.ts";
import { type Case, cases, decoder, encoder } from "./models.testing.ts";

let engine: Engine;
const computed = new Map<Case, Computed>();

beforeAll(async () => {
  await tf.setBackend("cpu");
  engine = await createEngine({ prefer: "compiled", threads: 1 });
  for (const one of cases) computed.set(one, await trained(engine, one));
});
afterAll(() => engine?.dispose());

describe.for(cases.map((one) => [one.name, one] as const))("loss and gradients of the %s", ([name, one]) => {
  it("are TensorFlow.js's within 1e-5", () => {
    expectSameGradients(computed.get(one)!, eager(one, one.trained), 1e-5);
  });

  it("are PyTorch's within 1e-4", () => {
    expectGolden(computed.get(one)!, readGolden(name), 1e-4);
  });
});

describe("the same on the engine cpu, kernel by kernel", () => {
  let replay: Engine;
  beforeAll(async () => {
    replay = await createEngine({ prefer: "cpu" });
  });
  afterAll(() => replay?.dispose());

  it.for([encoder, decoder].map((one) => [one.name, one] as const))("for the %s", async ([, one]) => {
    expectSameGradients(await trained(replay, one), eager(one, one.trained), 1e-5);
  });
});

describe("the comparison", () => {
  it("sees a mistake of 1e-3 in one parameter of the encoder", () => {
    const right = computed.get(encoder)!;
    const gradient = right.gradients["1.q"]!.map((value, i) => value * (i % 2 ? 1 : 1.002));
    const wrong = { ...right, gradients: { ...right.gradients, "1.q": gradient } };
    expect(() => expectSameGradients(wrong, eager(encoder, encoder.trained), 1e-5)).toThrow("1.q");
    expect(() => expectGolden(wrong, readGolden("encoder"), 1e-4)).toThrow("1.q");
  });
});
