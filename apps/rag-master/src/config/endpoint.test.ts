import { describe, expect, it } from "vitest";
import { describeConfig, parseConfig } from "./index.ts";

const FILE = "rag_config.yaml";
const local = 'url: "http://127.0.0.1:8000/v1", model: qwen3';
const file = (endpoint: string, more = "") => `rag_master:\n  generation: { endpoint: { ${endpoint} } }\n${more}`;
const parse = (endpoint: string, more = "") => parseConfig(file(endpoint, more), FILE);

function refusal(text: string): string {
  try {
    parseConfig(text, FILE);
  } catch (error) {
    return (error as Error).message.replaceAll(/^rag_config\.yaml:\d+:\d+: /gm, "");
  }
  return "accepted";
}

describe("generation.endpoint", () => {
  it("is off, also where nothing stands below it", () => {
    for (const text of ["rag_master:\n", "rag_master:\n  generation:\n    endpoint:\n", file("")]) {
      expect(parseConfig(text, FILE).config.generation).toEqual({ maxNewTokens: 256, temperature: 0.7 });
    }
  });

  it("needs url and model, and has defaults for the rest", () => {
    const { config, sources } = parse(local);
    expect(config.generation.endpoint).toEqual({
      ...{ url: "http://127.0.0.1:8000/v1", model: "qwen3", send: "text", timeoutSeconds: 120, retries: 3 },
    });
    expect(sources["generation.endpoint.url"]).toEqual({ from: "file", file: FILE, line: 2 });
    expect(sources["generation.endpoint.retries"]).toEqual({ from: "default" });
  });

  it("is listed like every setting, and read back gives the same", () => {
    const parsed = parse(`${local}, key_variable: VLLM_KEY, timeout_seconds: 5, retries: 0`);
    expect(parsed.config.generation.endpoint).toMatchObject({ keyVariable: "VLLM_KEY", timeoutSeconds: 5, retries: 0 });
    const listed = describeConfig(parsed);
    expect(listed).toMatch(/^ {4}endpoint:\n {6}url: "http:.*# rag_config.yaml:2\n/m);
    expect(listed).toMatch(/^ {6}send: "text" +# default$/m);
    expect(parseConfig(listed, FILE).config).toEqual(parsed.config);
  });

  it.each([
    [
      "model: x",
      "endpoint.url must be an address such as http://127.0.0.1:8000/v1, without user, password or query, found nothing",
    ],
    ['url: "http://h/v1"', "endpoint.model must be a text, found nothing"],
    [`${local}, send: both`, 'endpoint.send must be "text" or "memory", found "both"'],
    [`${local}, timeout_seconds: 0`, "endpoint.timeout_seconds must be a whole number from 1 to 3600, found 0"],
    [`${local}, retries: -1`, "endpoint.retries must be a whole number from 0 to 20, found -1"],
    [`${local}, key_varable: X`, 'endpoint.key_varable is not a setting; did you mean "key_variable"?'],
    [`${local}, api_key: X`, 'endpoint.api_key is not a setting; did you mean "key_variable"?'],
    [`${local}, base_url: X`, 'endpoint.base_url is not a setting; did you mean "url"?'],
    [`${local}, timeout: 3`, 'endpoint.timeout is not a setting; did you mean "timeout_seconds"?'],
    [
      `${local}, colour: 3`,
      "endpoint.colour is not a setting; expected url, model, key_variable, send, timeout_seconds, retries",
    ],
  ])("refuses { %s }", (endpoint, message) => {
    expect(refusal(file(endpoint))).toBe(`generation.${message}`);
  });

  it("refuses an address alone, and suggests the section for its settings", () => {
    expect(refusal('rag_master:\n  generation: { endpoint: "http://h/v1" }\n')).toBe(
      'generation.endpoint must be a section with url and model, found "http://h/v1"',
    );
    expect(refusal("rag_master:\n  generation: { endpont: {} }\n")).toContain('did you mean "endpoint"?');
    expect(refusal("rag_master:\n  compression: { key_variable: X }\n")).toContain(
      '"generation.endpoint.key_variable"',
    );
  });

  it.each([
    'url: "ftp://h/v1", model: m',
    'url: "http://me:secret@h/v1", model: m',
    'url: "http://h/v1?api_key=secret", model: m',
    `${local}, key_variable: sk-secret-17`,
    `${local}, key_variable: gsk_secret17`,
    `${local}, key: secret`,
  ])("shows no secret of { %s }", (endpoint) => {
    expect(refusal(file(endpoint))).toMatch(/^(?!.*secret)generation\.endpoint\.(url|key_variable|key) /);
  });

  it("reports what else is wrong as well", () => {
    const more = "  retrieval: { dense_top_k: 20 }\n";
    expect(refusal(file('url: "h", model: m', more)).split("\n")).toEqual([
      expect.stringMatching(/^generation\.endpoint\.url must be/),
      expect.stringMatching(/^retrieval\.dense_top_k \+ retrieval\.sparse_top_k must be at most 37/),
    ]);
  });

  it("cannot be given nothing to read, or memories that are no language model's", () => {
    expect(refusal(file(local, "  expansion: { when: never }\n"))).toBe(
      'expansion.when: "never" leaves generation.endpoint nothing to read; set "gate" or "always"',
    );
    const memory = `${local}, send: memory`;
    expect(refusal(file(memory))).toMatch(
      /^generation\.endpoint\.send: "memory" needs an imported CLaRa, .*set send: "text"/,
    );
    const clara = (rest: string) => `  compression: { model: ./clara, rate: 128${rest} }\n`;
    expect(refusal(file(memory, clara("")))).toBe("accepted");
    expect(refusal(file(memory, `${clara("")}  expansion: { when: never }\n`))).toBe("accepted");
    expect(refusal(file(memory, clara(", enabled: false")))).toContain("compression.enabled: false asks for it");
    expect(refusal(file(memory, `${clara("")}  expansion: { when: always }\n`))).toContain(
      'expansion.when: "always" asks',
    );
  });
});

describe("notes about generation.endpoint", () => {
  const brain = "  cognitive_brain: { persona: a librarian, tone: dry }\n";

  it("are none for what its model can do and the embedded one cannot", () => {
    const generation = `rag_master:\n  generation: { max_new_tokens: 99, temperature: 1, endpoint: { ${local} } }\n${brain}`;
    expect(parseConfig(generation, FILE).notes).toEqual([]);
  });

  it("say what has no effect", () => {
    expect(parse(local, "  guardrails: { min_confidence: 0.5 }\n").notes).toEqual([
      expect.stringMatching(/^guardrails\.min_confidence: 0\.5 has no effect with generation\.endpoint/),
    ]);
    const notes = parse(`${local}, send: memory`, `  compression: { model: ./clara }\n${brain}`).notes;
    expect(notes).toEqual([expect.stringContaining("persona has no"), expect.stringContaining("tone has no")]);
  });

  it("say what goes unencrypted to another machine", () => {
    const url = (address: string, key = "") => parse(`url: "${address}", model: m${key}`).notes;
    expect(url("http://gpu.lan:8000/v1")).toEqual([
      expect.stringMatching(/^generation\.endpoint\.url: questions and documents go to gpu\.lan unencrypted/),
    ]);
    expect(url("http://gpu.lan/v1", ", key_variable: K")[0]).toContain("key, questions and documents go");
    for (const address of [
      "https://gpu.lan/v1",
      "http://localhost/v1",
      "http://127.0.0.1/v1",
      "http://[::1]:8000/v1",
    ]) {
      expect(url(address)).toEqual([]);
    }
  });
});
