import { tf } from "@clara/tensor";
import { describe, expect, it } from "vitest";
import { prepareEnvironment } from "./environment.ts";
import { quietly } from "./own-package.ts";

describe("prepareEnvironment", () => {
  it("quietens TensorFlow and leaves memory on the GPU, for the engines that are TensorFlow", () => {
    const environment = {};
    prepareEnvironment("tfjs-node-gpu", environment);
    expect(environment).toEqual({ TF_CPP_MIN_LOG_LEVEL: "3", TF_FORCE_GPU_ALLOW_GROWTH: "true" });
  });

  it("changes nothing that is set, and nothing for other engines", () => {
    const environment = { TF_CPP_MIN_LOG_LEVEL: "0", TF_FORCE_GPU_ALLOW_GROWTH: "false" };
    prepareEnvironment("tfjs-node", environment);
    expect(environment).toEqual({ TF_CPP_MIN_LOG_LEVEL: "0", TF_FORCE_GPU_ALLOW_GROWTH: "false" });
    const other = {};
    prepareEnvironment("wasm", other);
    expect(other).toEqual({});
  });
});

describe("quietly", () => {
  it("keeps TensorFlow.js from writing to the console meanwhile, and only meanwhile", () => {
    expect(quietly(() => tf.env().getBool("PROD"))).toBe(true);
    expect(() =>
      quietly(() => {
        throw new Error("no");
      }),
    ).toThrow("no");
    expect(tf.env().getBool("PROD")).toBe(false);
  });
});
