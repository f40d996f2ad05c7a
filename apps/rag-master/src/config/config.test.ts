import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { ClaraError } from "@clara/core";
import { afterAll, describe, expect, it } from "vitest";
import { defaultConfig, describeConfig, loadConfig, parseConfig } from "./index.ts";

const FILE = "rag_config.yaml";

/** The message of the error that a configuration is refused with. */
function refusal(text: string): string {
  try {
    parseConfig(text, FILE);
  } catch (error) {
    expect(error).toBeInstanceOf(ClaraError);
    expect(error).toMatchObject({ code: "config" });
    return (error as ClaraError).message;
  }
  return "accepted";
}

describe("parseConfig", () => {
  it("fills in every default", () => {
    const { config, sources, notes } = parseConfig("rag_master:\n", FILE);
    expect(config).toEqual(defaultConfig());
    expect(config).toEqual({
      compression: { enabled: true, model: "@clara/mini", rate: 16 },
      retrieval: { denseTopK: 12, sparseTopK: 25, fusion: "union" },
      reranking: { topK: 5, minScore: 0.55 },
      generation: { maxNewTokens: 256, temperature: 0.7 },
      guardrails: {
        allowOutOfContext: false,
        requireCitations: true,
        minConfidence: 0.15,
        input: { maxCharacters: 4000 },
        output: { blocked: [] },
      },
      citations: { max: 5 },
      expansion: { when: "gate", windows: 4, neighbours: 1, maxTokens: 384 },
      cognitiveBrain: { refusalMessage: "I could not find an answer to this in the documents." },
    });
    expect(new Set(Object.values(sources).map(({ from }) => from))).toEqual(new Set(["default"]));
    expect(notes).toEqual([]);
  });

  it("accepts the published shape, an Apple model at rate 32 included", () => {
    const { config, sources } = parseConfig(
      `rag_master:
  compression: { enabled: true, model: "apple/CLaRa-7B-E2E", rate: 32 }
  retrieval:   { dense_top_k: 12, sparse_top_k: 25, fusion: "union" }   # union | rrf | weighted; at most 37 candidates
  reranking:   { top_k: 5, min_score: 0.55 }
  generation:  { max_new_tokens: 256, temperature: 0.7 }
  guardrails:  { allow_out_of_context: false, require_citations: true }
`,
      FILE,
    );
    expect(config).toEqual({
      ...defaultConfig(),
      compression: { enabled: true, model: "apple/CLaRa-7B-E2E", rate: 32 },
    });
    expect(sources["compression.rate"]).toEqual({ from: "file", file: FILE, line: 2 });
    expect(sources["guardrails.require_citations"]).toEqual({ from: "file", file: FILE, line: 6 });
    expect(sources["guardrails.min_confidence"]).toEqual({ from: "default" });
  });

  it("reads every addition", () => {
    const { config } = parseConfig(
      `rag_master:
  guardrails: { min_confidence: 0.2, input: { max_characters: 100 }, output: { blocked: [secret, "price list"] } }
  citations: { max: 2 }
  expansion: { when: always, windows: 8, neighbours: 0, max_tokens: 64 }
  cognitive_brain: { persona: a librarian, tone: dry, refusal_message: "No." }
`,
      FILE,
    );
    expect(config.guardrails.minConfidence).toBe(0.2);
    expect(config.guardrails.input).toEqual({ maxCharacters: 100 });
    expect(config.guardrails.output).toEqual({ blocked: ["secret", "price list"] });
    expect(config.citations).toEqual({ max: 2 });
    expect(config.expansion).toEqual({ when: "always", windows: 8, neighbours: 0, maxTokens: 64 });
    expect(config.cognitiveBrain).toEqual({ persona: "a librarian", tone: "dry", refusalMessage: "No." });
  });

  it("takes an empty section for its defaults and ignores a byte order mark and CRLF", () => {
    const { config, sources } = parseConfig(
      "\uFEFFrag_master:\r\n  retrieval:\r\n  compression:\r\n    rate: 4\r\n",
      FILE,
    );
    expect(config.retrieval).toEqual(defaultConfig().retrieval);
    expect(sources["compression.rate"]).toEqual({ from: "file", file: FILE, line: 4 });
  });

  it("says once what the embedded model cannot honour, and only for settings of the file", () => {
    const generation = "  generation: { max_new_tokens: 31, temperature: 0.1 }\n";
    expect(parseConfig(`rag_master:\n${generation}`, FILE).notes).toEqual([
      "generation.temperature: 0.1 has no effect with @clara/mini, whose answers are quotes",
      "generation.max_new_tokens: 31 is never reached with @clara/mini, whose quotes have at most 30 tokens",
    ]);
    expect(parseConfig("rag_master:\n  generation: { max_new_tokens: 30, temperature: 0 }\n", FILE).notes).toEqual([]);
    expect(parseConfig(`rag_master:\n  compression: { model: other }\n${generation}`, FILE).notes).toEqual([]);
  });
});

describe("parseConfig refuses, with file, line and column,", () => {
  it("an unknown setting, and suggests the one that was meant", () => {
    expect(refusal("rag_master:\n  reranking:\n    top_k: 5\n    min_scor: 0.5\n")).toBe(
      'rag_config.yaml:4:5: reranking.min_scor is not a setting; did you mean "min_score"?',
    );
    expect(refusal("rag_master:\n  rerankin: { top_k: 5 }\n")).toContain(
      'rerankin is not a setting; did you mean "reranking"?',
    );
    expect(refusal("rag_master:\n  reranking: { topK: 5 }\n")).toContain('did you mean "top_k"?');
    expect(refusal("rag_master:\n  compression: { top-k: 5 }\n")).toContain('did you mean "reranking.top_k"?');
    expect(refusal("rag_master:\n  cognitive_brain: { persna: x }\n")).toContain('did you mean "persona"?');
    expect(refusal("rag_master:\n  reranking: { whatever: 5 }\n")).toBe(
      "rag_config.yaml:2:16: reranking.whatever is not a setting; expected top_k, min_score",
    );
    expect(refusal("rag_master:\n  guardrails: { input: { max_chars: 5 } }\n")).toContain(
      "guardrails.input.max_chars is not a setting; expected max_characters",
    );
    expect(refusal('rag_master:\n  compression: { "__proto__": 5 }\n')).toContain("__proto__ is not a setting");
    expect(refusal("rag_master:\n  <<: { compression: { rate: 4 } }\n")).toContain("<< is not a setting");
  });

  it.each([
    ["compression: { rate: 0 }", "compression.rate must be a whole number from 1 to 256, found 0"],
    ["compression: { rate: 257 }", "compression.rate must be a whole number from 1 to 256, found 257"],
    ["compression: { rate: 1.5 }", "compression.rate must be a whole number from 1 to 256, found 1.5"],
    ["compression: { rate: }", "compression.rate must be a whole number from 1 to 256, found nothing"],
    ["compression: { rate: .nan }", "compression.rate must be a whole number from 1 to 256, found NaN"],
    [
      "compression: { rate: '16' }",
      'compression.rate must be a whole number from 1 to 256, found "16"; write it without quotes',
    ],
    ["compression: { rate: [16] }", "compression.rate must be a whole number from 1 to 256, found a list of 1"],
    ["compression: { rate: { x: 1 } }", "compression.rate must be a whole number from 1 to 256, found a section (x)"],
    ["compression: { enabled: yes }", 'compression.enabled must be true or false, found "yes"; write true'],
    ["compression: { enabled: off }", 'compression.enabled must be true or false, found "off"; write false'],
    ["compression: { model: '' }", 'compression.model must be a text that is not empty, found ""'],
    ["compression: { model: 7 }", "compression.model must be a text, found 7"],
    ["compression: true", "compression must be a section with settings, found true"],
    ["retrieval: { fusion: sum }", 'retrieval.fusion must be "union" or "rrf" or "weighted", found "sum"'],
    ["reranking: { min_score: 1.01 }", "reranking.min_score must be a number from 0 to 1, found 1.01"],
    ["reranking: { min_score: -0.1 }", "reranking.min_score must be a number from 0 to 1, found -0.1"],
    ["generation: { temperature: .inf }", "generation.temperature must be a number from 0 to 2, found Infinity"],
    ["guardrails: { output: { blocked: x } }", 'guardrails.output.blocked must be a list of texts, found "x"'],
    ["guardrails: { output: { blocked: [a, 2] } }", "guardrails.output.blocked[1] must be a text, found 2"],
  ])("the wrong value in %s", (line, message) => {
    expect(refusal(`rag_master:\n  ${line}\n`).replace(/^rag_config\.yaml:2:\d+: /, "")).toBe(message);
  });

  it("a list's member where it stands", () => {
    expect(refusal("rag_master:\n  guardrails:\n    output:\n      blocked:\n        - a\n        - 2\n")).toMatch(
      /^rag_config\.yaml:6:11: /,
    );
  });

  it("combinations that are impossible", () => {
    expect(refusal("rag_master:\n  retrieval:\n    dense_top_k: 20\n")).toBe(
      "rag_config.yaml:3:5: retrieval.dense_top_k + retrieval.sparse_top_k must be at most 37 candidates, found 20 + 25 = 45; lower one of them",
    );
    expect(refusal("rag_master:\n  retrieval: { dense_top_k: 0, sparse_top_k: 0 }\n")).toContain(
      "retrieval.dense_top_k and retrieval.sparse_top_k are both 0",
    );
    expect(refusal("rag_master:\n  retrieval: { dense_top_k: 2, sparse_top_k: 1 }\n")).toBe(
      "rag_config.yaml:2:16: reranking.top_k must be at most the candidates (retrieval.dense_top_k + retrieval.sparse_top_k: 2 + 1 = 3), found 5",
    );
    expect(
      refusal("rag_master:\n  retrieval: { dense_top_k: 37, sparse_top_k: 0 }\n  reranking: { top_k: 37 }\n"),
    ).toBe("accepted");
  });

  it("all problems of a file at once, in order, one a line", () => {
    const text = `rag_master:
  retrieval: { dense_top_k: 30 }
  compression: { rate: 0, enabled: 1 }
  compression: { rat: 3 }
  reranking: { min_scor: 1 }
other: 1
`;
    expect(refusal(text).split("\n")).toEqual([
      expect.stringContaining(
        "rag_config.yaml:2:16: retrieval.dense_top_k + retrieval.sparse_top_k must be at most 37",
      ),
      "rag_config.yaml:4:3: compression is set twice in the same section; keep one",
      'rag_config.yaml:4:18: compression.rat is not a setting; did you mean "rate"?',
      expect.stringContaining("rag_config.yaml:5:16: reranking.min_scor is not a setting"),
      expect.stringContaining('rag_config.yaml:6:1: other is not a setting; expected "rag_master:" at the top'),
    ]);
  });

  it("draws no conclusion from a setting that is wrong by itself", () => {
    expect(refusal("rag_master:\n  retrieval: { dense_top_k: x, sparse_top_k: 37 }\n").split("\n")).toHaveLength(1);
    expect(refusal("rag_master:\n  retrieval: 5\n  reranking: { top_k: 37 }\n").split("\n")).toHaveLength(1);
  });

  it("settings that are not below rag_master", () => {
    expect(refusal("compression: { rate: 4 }\n")).toBe(
      'rag_config.yaml:1:1: compression must be below "rag_master:", indented',
    );
    expect(refusal("rag-master: {}\n")).toContain('rag-master is not a setting; did you mean "rag_master"?');
    expect(refusal("- a\n")).toBe(
      'rag_config.yaml:1:1: expected "rag_master:" with settings below it, found a list of 1',
    );
    expect(refusal("just words\n")).toContain('found "just words"');
    expect(refusal("# nothing but a comment\n")).toContain("found nothing");
    expect(refusal(" \n")).toBe('rag_config.yaml: the file is empty; expected "rag_master:" at the top');
    expect(refusal("rag_master: 5\n")).toBe("rag_config.yaml:1:1: rag_master must be a section with settings, found 5");
  });

  it("broken YAML, tabs, tags and second documents", () => {
    expect(refusal("rag_master:\n\tcompression: {}\n")).toContain(
      "rag_config.yaml:2:1: a tab cannot indent; use spaces",
    );
    expect(refusal("rag_master: { compression: {\n")).toMatch(/^rag_config\.yaml:\d+:\d+: /);
    expect(refusal("rag_master: {}\n---\nrag_master: {}\n")).toContain("a second document");
    expect(refusal("rag_master: !!js/function 'x'\n")).toContain("tags (!name) are not used here");
    expect(refusal("rag_master:\n  reranking:\n    top_k: 3\n    min_score\n")).toBe(
      'rag_config.yaml:4:5: expected "name: value"; is there a colon and a space missing?',
    );
    expect(refusal("rag_master: *nowhere\n")).toBe(
      "rag_config.yaml:1:13: *nowhere repeats nothing; expected &nowhere before it",
    );
  });

  it("alias bombs and bottomless nesting, at once", () => {
    const bomb = ["a: &a [x,x,x,x,x,x,x,x,x]"];
    for (const [name, of] of ["ba", "cb", "dc", "ed", "fe", "gf", "hg", "ih"].map((pair) => [pair[0], pair[1]])) {
      bomb.push(`${name}: &${name} [${Array.from({ length: 9 }, () => `*${of}`).join(",")}]`);
    }
    expect(refusal(bomb.join("\n"))).toContain("aliases (*name) may be used");
    expect(refusal(`rag_master: ${"[".repeat(50_000)}`)).toMatch(/^rag_config\.yaml/);
    expect(refusal("rag_master: &top\n  compression: *top\n")).toMatch(/^rag_config\.yaml/);
  });

  it("accepts an alias that repeats a value", () => {
    const { config } = parseConfig("rag_master:\n  reranking: { top_k: &n 7 }\n  citations: { max: *n }\n", FILE);
    expect(config.citations.max).toBe(7);
  });
});

describe("loadConfig", () => {
  const folder = mkdtemp(join(tmpdir(), "clara-config-"));
  afterAll(async () => rm(await folder, { recursive: true }));
  async function file(bytes: string | Uint8Array): Promise<string> {
    const path = join(await folder, "config.yaml");
    await writeFile(path, bytes);
    return path;
  }

  it("reads a file and says which", async () => {
    const path = await file("rag_master:\n  compression: { rate: 4 }\n");
    const { config, sources } = await loadConfig(path);
    expect(config.compression.rate).toBe(4);
    expect(sources["compression.rate"]).toEqual({ from: "file", file: path, line: 2 });
  });

  it("names the file that is missing, a folder, too large or not UTF-8", async () => {
    const missing = join(await folder, "none.yaml");
    await expect(loadConfig(missing)).rejects.toThrow(`${missing}: there is no such file`);
    await expect(loadConfig(await folder)).rejects.toThrow("is a folder; expected a configuration file");
    await expect(loadConfig(await file(new Uint8Array([0xff, 0xfe, 0x72, 0])))).rejects.toThrow("is not UTF-8 text");
    await expect(loadConfig(await file("#".repeat(300_000)))).rejects.toThrow("is 300000 bytes");
    await expect(loadConfig(await file(""))).rejects.toMatchObject({ code: "config" });
  });

  it("finds the defaults in the repository's own rag_config.yaml", async () => {
    const path = fileURLToPath(new URL("../../../../rag_config.yaml", import.meta.url));
    expect((await loadConfig(path)).config).toEqual(defaultConfig());
  });
});

describe("expansion", () => {
  it.each(["gate", "always", "never"] as const)("may be %s", (when) => {
    expect(parseConfig(`rag_master:\n  expansion: { when: ${when} }\n`, FILE).config.expansion.when).toBe(when);
  });
});

describe("describeConfig", () => {
  const text = `rag_master:
  compression:
    rate: 4
  guardrails: { output: { blocked: ["a\\u009b31m", b] } }
  cognitive_brain: { persona: "two\\nlines" }
  generation: { temperature: 1 }
`;

  it("says of every value where it came from, and the notes", () => {
    const lines = describeConfig(parseConfig(text, FILE)).split("\n");
    const tight = lines.map((line) => line.replace(/ +#/, " #"));
    expect(tight.slice(0, 5)).toEqual([
      "rag_master:",
      "  compression:",
      "    enabled: true # default",
      '    model: "@clara/mini" # default',
      "    rate: 4 # rag_config.yaml:3",
    ]);
    expect(tight).toContain('      blocked: ["a\\u009b31m","b"] # rag_config.yaml:4');
    expect(tight).toContain('    persona: "two\\nlines" # rag_config.yaml:5');
    expect(lines.slice(-3, -1)).toEqual([
      "# note: generation.temperature: 1 has no effect with @clara/mini, whose answers are quotes",
      "# note: cognitive_brain.persona has no effect with @clara/mini, whose answers are quotes",
    ]);
  });

  it("is YAML that gives the same configuration again", () => {
    const parsed = parseConfig(text, FILE);
    expect(parseConfig(describeConfig(parsed), "again.yaml").config).toEqual(parsed.config);
  });
});
