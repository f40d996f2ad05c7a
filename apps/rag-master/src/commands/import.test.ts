import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { writeTinyBase, writeTinyCheckpoint } from "../import/tiny-checkpoint.testing.ts";
import { asOrdinaryUser } from "../testing/ordinary-user.ts";
import { type Ran, runCommand, runHere } from "../testing/run-command.ts";

const cwd = mkdtempSync(join(tmpdir(), "clara-import-command-"));
const at = (name: string): string => join(cwd, name);
const run = (...args: string[]): Promise<Ran> => runHere(["import", ...args], { cwd });
beforeAll(() => {
  writeTinyBase(at("base"));
  writeTinyCheckpoint(at("CLaRa-tiny/compression-4"));
  writeFileSync(at("CLaRa-tiny/README.md"), "---\nlicense: other\nlicense_name: example-research\n---\n");
  writeFileSync(at("CLaRa-tiny/LICENSE"), "\nExample Research License 1.0\nmore\n");
});
afterAll(() => rmSync(cwd, { recursive: true }));
const folders = [at("CLaRa-tiny/compression-4"), "--base", at("base")];

describe("import", () => {
  it("says what it found, imports it, and says how to use it", async () => {
    const { code, stdout, stderr } = await run(...folders, "--out", at("out"), "--quantize", "int8");
    expect(code, stderr).toBe(0);
    expect(stdout).toContain("licence     other, example-research; Example Research License 1.0\n");
    expect(stdout).toContain("licence     apache-2.0\n");
    expect(stdout).toContain(
      "adapters    compressor (encoder_adapter), generator (decoder_adapter), query (query_reasoner_adapter); rank 2\n",
    );
    expect(stdout).toContain("memory      rate 4: 2 memory tokens for up to 8 tokens of a document\n");
    expect(stdout).toContain("prompt      2 documents, as trained\n");
    expect(stdout).toMatch(/to write {4}int8: base\.safetensors 0\.\d MB, adapters\.safetensors 0\.\d MB\n/);
    expect(stdout).toMatch(/model: .*out \(CLaRa-tiny-compression-4-int8\+[0-9a-f]{12}\), 0\.\d MB\n/);
    expect(stdout).toContain(`compression: { model: ${at("out")}, rate: 4 }\n`);
    expect(stdout).toMatch(/what works today: .*\n$/);
    const again = await run(...folders, "--out", at("out"), "--quantize", "int8");
    expect([again.code, again.stderr]).toEqual([0, expect.stringContaining("is imported already")]);
  });

  it("gives one JSON value, and writes nothing when it is not to", async () => {
    const { code, stdout, stderr } = await run(...folders, "--out", at("dry"), "--dry-run", "--json");
    expect(code, stderr).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({
      ...{ kind: "clara", precision: "float32", dryRun: true, id: null, missing: [], unknownFields: [] },
      clara: { rate: 4, memoryTokens: 2, adapters: ["compressor", "generator", "query"] },
      licence: { base: "apache-2.0" },
    });
    expect(existsSync(at("dry"))).toBe(false);
  });

  it("takes a decoder alone", async () => {
    const { code, stdout, stderr } = await run(at("base"), "--out", at("decoder"), "--json");
    expect(code, stderr).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ kind: "decoder", clara: null, licence: { base: "apache-2.0" } });
    expect(readdirSync(at("decoder")).sort()).toEqual([
      ...["base.safetensors", "chat_template.jinja", "config.json", "tokenizer.json", "tokenizer_config.json"],
    ]);
  });

  it.each([
    [[at("CLaRa-tiny/compression-4")], 2, "name the base's folder by --base DIR"],
    [[at("CLaRa-tiny"), "--base", at("base")], 1, "there is one in compression-4: name that folder"],
    [[...folders, "--quantize", "int3"], 2, "Allowed choices are none, int8, int4"],
    [[...folders, "--out", at("base")], 2, "holds a model already, made from other files or to another precision"],
    [[at("none")], 1, "none: no such folder"],
  ])("refuses %j", async (args, code, message) => {
    const ran = await run(...args);
    expect(ran.stderr).toContain(message);
    expect(ran.code).toBe(code);
  });

  it("stops at Ctrl-C, says what there is, and goes on", async () => {
    const stop = new AbortController();
    stop.abort();
    const stopped = await runHere(["import", ...folders, "--out", at("stopped")], { cwd, signal: stop.signal });
    expect(stopped.code).toBe(1);
    expect(stopped.stderr).toContain("stopped before it was done; no file is left half-written");
    expect(existsSync(at("stopped/config.json"))).toBe(false);
    expect((await run(...folders, "--out", at("stopped"))).code).toBe(0);
  });

  it.skipIf(process.platform === "win32")("says when the disk is full, and goes on when there is room", async () => {
    // A file may have 40 blocks of 1024 bytes.
    const full = await runCommand(["import", ...folders, "--out", at("full")], { cwd, before: "ulimit -f 40" });
    expect(full.code, full.stderr).toBe(1);
    expect(full.stderr).toMatch(/base\.safetensors\.part: cannot be written: /);
    expect(full.stderr).toMatch(/0\.0 MB of 0\.\d MB are in .*full; the same command goes on from there/);
    const { code, stderr } = await run(...folders, "--out", at("full"));
    expect([code, stderr]).toEqual([0, expect.stringContaining("going on with an import that was begun")]);
    const same = await run(...folders, "--out", at("whole"));
    expect(same.code).toBe(0);
    expect(Buffer.compare(readFileSync(at("full/base.safetensors")), readFileSync(at("whole/base.safetensors")))).toBe(
      0,
    );
  });

  it.skipIf(!asOrdinaryUser)("says when the folder cannot be written", async () => {
    mkdirSync(at("closed"));
    await asOrdinaryUser!(cwd, async () => {
      chmodSync(at("closed"), 0o500);
      const { code, stderr } = await run(...folders, "--out", at("closed/out"));
      expect([code, stderr]).toEqual([1, expect.stringMatching(/closed\/out: cannot be written: EACCES/)]);
    });
  });
});
