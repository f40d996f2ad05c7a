import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { callSite } from "./call-site.ts";

const source = fileURLToPath(new URL("..", import.meta.url)); // the engine's own code

/** What is found in a stack of these places, the innermost first. */
function found(...places: string[]): string {
  const error = new Error("made up");
  error.stack = `Error: made up\n${places.map((place) => `    at step (${place})`).join("\n")}`;
  return callSite(error);
}

describe("callSite", () => {
  it("skips TensorFlow.js, @clara/tensor and the engine, wherever they are installed", () => {
    const places = [
      `${source}trace/backend.ts:10:5`,
      `${source.replace(/engine([\\/]src[\\/])$/, "tensor$1")}gelu.ts:3:1`,
      "file:///app/node_modules/.pnpm/@tensorflow+tfjs-core@4.22.0/node_modules/@tensorflow/tfjs-core/dist/x.js:1:2",
      "C:\\app\\node_modules\\@tensorflow\\tfjs-core\\dist\\x.js:1:2",
      "/app/node_modules/@clara/tensor/dist/index.js:4:4",
      "node:internal/process:9:9",
      "/app/model.ts:12:7",
      "/app/main.ts:1:1",
    ];
    expect(found(...places)).toBe(" (at /app/model.ts:12:7)");
  });

  it("takes code for the user's even when it lies in folders named like ours", () => {
    expect(found("/game/engine/src/physics.ts:3:4")).toBe(" (at /game/engine/src/physics.ts:3:4)");
    expect(found("file:///home/me/tensor/dist/my.js:3:4")).toBe(" (at /home/me/tensor/dist/my.js:3:4)");
    expect(found("/app/node_modules/their-model/index.js:8:1")).toBe(
      " (at /app/node_modules/their-model/index.js:8:1)",
    );
  });

  it("finds this line, and nothing in a stack of ours alone", () => {
    expect(callSite()).toMatch(/^ \(at .*call-site\.test\.ts:\d+:\d+\)$/);
    expect(found(`${source}trace/backend.ts:10:5`, "node:internal/process:9:9")).toBe("");
  });
});
