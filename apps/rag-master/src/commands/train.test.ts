import { spawn } from "node:child_process";
import { copyFileSync, existsSync, readFileSync, writeFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Ran, runCommand, runHere } from "../testing/run-command.ts";
import line from "../train/testing/line.ts";
import { writeTinyModel } from "../train/testing/tiny-model.ts";

let cwd = "";
const run = (...args: string[]): Promise<Ran> => runCommand(args, { cwd });
const at = (name: string): string => join(cwd, name);

beforeAll(async () => {
  cwd = await mkdtemp(join(tmpdir(), "clara-train-command-"));
  // Away from the repository: its imports are found all the same.
  copyFileSync(fileURLToPath(new URL("../train/testing/line.ts", import.meta.url)), at("line.ts"));
  writeFileSync(at("points.json"), "[1, -2, 3, 0.5]");
  const { build: _, ...rest } = line;
  writeFileSync(at("plain.js"), `export default { ...${JSON.stringify({ ...rest, name: "plain" })}, build() {} };`);
  await writeTinyModel(at("start"));
});
afterAll(() => rm(cwd, { recursive: true, force: true }));

const train = ["train", "line.ts", "--model", "start", "--threads", "1"];

/** Starts a command and kills it, with no chance to tidy up, as soon as its log has so many lines. */
async function killedAfter(lines: number, args: readonly string[], log: string): Promise<NodeJS.Signals | null> {
  const main = fileURLToPath(new URL("../main.ts", import.meta.url));
  const child = spawn(process.execPath, ["--conditions=@clara/source", main, ...args], { cwd, stdio: "ignore" });
  const ended = new Promise<NodeJS.Signals | null>((resolve) => child.on("close", (_, signal) => resolve(signal)));
  const count = (): number => (existsSync(log) ? readFileSync(log, "utf8").split("\n").length : 0);
  while (child.exitCode === null && child.signalCode === null && count() < lines) await wait(2);
  child.kill("SIGKILL");
  return ended;
}

describe("train", () => {
  it("resumes after kill -9 to the bytes of a run that was never stopped", async () => {
    const whole = await run(...train, "--seed", "7", "--out", "whole", "--checkpoint-minutes", "0", "--json");
    expect(whole.code, whole.stderr).toBe(0);
    expect(JSON.parse(whole.stdout)).toMatchObject({
      recipe: "line",
      out: "whole",
      step: 60,
      steps: 60,
      tokens: 960,
      examples: 240,
    });
    const killed = [...train, "--out", "killed", "--checkpoint-minutes", "0"];
    // The seed is the run's own from then on.
    expect(await killedAfter(15, [...killed, "--seed", "7"], at("killed/log.jsonl"))).toBe("SIGKILL");
    expect(existsSync(at("killed/checkpoint.safetensors"))).toBe(true);
    expect(existsSync(at("killed/config.json"))).toBe(false);
    expect(await killedAfter(35, [...killed, "--resume"], at("killed/log.jsonl"))).toBe("SIGKILL");
    const resumed = await run(...killed, "--resume");
    expect(resumed.code, resumed.stderr).toBe(0);
    expect(resumed.stdout).toMatch(
      /^60 steps, .*\nmodel: killed \(line\+[0-9a-f]{12}\)\nreport: killed\/report\.html\n$/,
    );
    for (const file of ["line.safetensors", "checkpoint.safetensors", "config.json"]) {
      expect(Buffer.compare(readFileSync(at(`killed/${file}`)), readFileSync(at(`whole/${file}`))), file).toBe(0);
    }
    const losses = (out: string) =>
      readFileSync(at(`${out}/log.jsonl`), "utf8")
        .split("\n")
        .map((line) => line.replace(/"seconds":[^,]*/, ""));
    expect(losses("killed")).toEqual(losses("whole"));
  });

  it("saves at Ctrl-C, says so, and fails", async () => {
    let asked = false;
    const stopped = await runCommand([...train, "--out", "stopped", "--steps", "100000"], {
      cwd,
      onStderr(stderr, kill) {
        // A second one would end the process on the spot.
        if (asked || !stderr.includes("training ")) return;
        asked = true;
        kill("SIGINT");
      },
    });
    expect(stopped.code).toBe(1);
    expect(stopped.stderr).toMatch(/step \d+ of 100000 is saved in stopped\/checkpoint\.safetensors; --resume goes on/);
    expect(stopped.stderr).toContain("error: stopped before it was done; no file is left half-written\n");
    expect(stopped.stderr).not.toContain("pack");
    const again = await run(...train, "--out", "stopped");
    expect(again.code).toBe(2);
    expect(again.stderr).toContain("has a run of the recipe");
  });

  it("estimates without writing", async () => {
    const dry = await run(...train, "--out", "dry", "--dry-run");
    expect(dry.code, dry.stderr).toBe(0);
    expect(dry.stdout).toMatch(/^dry run: nothing is written\nrecipe +line \(instruction\): A line through points\.\n/);
    expect(dry.stdout).toMatch(/examples +about 240.*\ntokens +about 960.*\ntime .*\nmemory .* MB.*\ncheckpoint .* MB/);
    expect(existsSync(at("dry"))).toBe(false);
  });

  it.each([
    [["train", "nope"], 2, /there is no recipe "nope"/],
    [["--data", "pionts=x"], 2, /did you mean "points"\?/],
    [["--data", "points=gone.json"], 1, /gone\.json: no such file; it is the recipe's "points"/],
    [["--checkpoint-minutes", "soon"], 2, /--checkpoint-minutes: needs a number of at least 0, got "soon"/],
    [["train", "mini-reader", "--steps", "100"], 2, /100 steps are too few .* at least 1550 are needed/],
    [["--seed", "-1"], 2, /--seed: needs a whole number from 0, got "-1"/],
    [["--steps", "0"], 2, /--steps: needs a whole number from 1, got "0"/],
    [["--resume", "--out", "fresh"], 2, /fresh has no run\.json, so no run to go on with/],
  ])("refuses %j", async (args, code, message) => {
    const ran = await runHere(args[0] === "train" ? args : ["train", at("plain.js"), ...args], { cwd });
    expect(ran.stderr).toMatch(message);
    expect(ran.code).toBe(code);
  });

  it("refuses a model folder that is none", async () => {
    const data = `points=${at("points.json")}`;
    const ran = await runHere(["train", at("plain.js"), "--data", data, "--model", at("nowhere")], { cwd });
    expect(ran).toMatchObject({ code: 1, stderr: expect.stringContaining("nowhere/config.json: no such file") });
  });
});
