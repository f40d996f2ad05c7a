import { describe, expect, it } from "vitest";
import { run } from "./support/processes.ts";
import { files } from "./support/repository.ts";

const examples = files("examples").filter((file) => /^examples\/[^/]+\.ts$/.test(file) && !file.endsWith(".test.ts"));

describe("every example", () => {
  it.each(examples)("%s runs to its end, prints something, and complains about nothing", async (file) => {
    const ended = await run(process.execPath, ["--conditions=@clara/source", file], { timeoutMs: 60_000 });
    expect(ended).toMatchObject({ code: 0, stderr: "" });
    expect(ended.stdout.trim()).not.toBe("");
  });

  it("is there", () => {
    expect(examples).not.toEqual([]);
  });
});
