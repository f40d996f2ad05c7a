import { ClaraError } from "@clara/core";
import { describe, expect, it } from "vitest";
import { autoOrder, chooseEngine, type EngineName } from "./choose-engine.ts";

/** A machine on which only these engines start. */
const machine =
  (...works: EngineName[]) =>
  async (name: EngineName): Promise<string> => {
    if (works.includes(name)) return `a running ${name}`;
    throw new ClaraError("engine", `${name} is not installed`);
  };

describe("chooseEngine", () => {
  it("starts the engine that is named", async () => {
    const chosen = await chooseEngine("wasm", machine("compiled", "wasm"));
    expect(chosen).toEqual({ name: "wasm", engine: "a running wasm", passedOver: [] });
  });

  it("never falls back from an engine that is named", async () => {
    await expect(chooseEngine("tfjs-node-gpu", machine("compiled", "cpu"))).rejects.toThrow(
      "tfjs-node-gpu is not installed",
    );
  });

  it("takes the first of a list that starts, and says which were passed over and why", async () => {
    const chosen = await chooseEngine(["tfjs-node-gpu", "tfjs-node", "compiled"], machine("compiled", "tfjs-node"));
    expect(chosen).toEqual({
      name: "tfjs-node",
      engine: "a running tfjs-node",
      passedOver: [{ name: "tfjs-node-gpu", reason: "tfjs-node-gpu is not installed" }],
    });
  });

  it("compiles when nothing is asked for, and looks for no GPU", async () => {
    expect((await chooseEngine("auto", machine("compiled", "tfjs-node-gpu"))).name).toBe("compiled");
    expect((await chooseEngine("auto", machine("tfjs-node-gpu", "cpu"))).name).toBe("cpu");
    expect(autoOrder).not.toContain("tfjs-node-gpu");
  });

  it("says every reason when none starts", async () => {
    await expect(chooseEngine(["compiled", "wasm"], machine())).rejects.toMatchObject({
      code: "engine",
      message:
        "chooseEngine: none of compiled, wasm starts\ncompiled: compiled is not installed\nwasm: wasm is not installed",
    });
    await expect(chooseEngine([], machine())).rejects.toMatchObject({ code: "option" });
  });

  it("tries no further when the caller has stopped it", async () => {
    const tried: string[] = [];
    const start = async (name: EngineName) => {
      tried.push(name);
      throw new ClaraError("aborted", "stopped");
    };
    await expect(chooseEngine("auto", start)).rejects.toMatchObject({ code: "aborted" });
    expect(tried).toEqual(["compiled"]);
  });
});
