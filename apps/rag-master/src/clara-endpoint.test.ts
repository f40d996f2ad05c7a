import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { dequantizeMemory } from "@clara/compressor";
import { readTorchFile } from "@clara/model";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { answer } from "./answer.ts";
import { readClaraFolder } from "./clara-folder.ts";
import { defaultConfig, type RagConfig } from "./config/index.ts";
import { corpusOfTexts } from "./corpus-of-texts.ts";
import { importTiny } from "./import/import-tiny.testing.ts";
import { loadModel, type Model } from "./model.ts";
import { type Behaviour, type Endpoint, startEndpoint } from "./synthesize/endpoint.testing.ts";
import { openWordRows, wordTable } from "./word-table.ts";

const folder = mkdtempSync(join(tmpdir(), "clara-endpoint-"));
const rate = 128;
const question = "where is the mill";
const texts = ["the mill is by the lake", "the railway goes to the coast", "the bird eats snails"].map((text, i) => ({
  id: String(i),
  text,
}));

let endpoint: Endpoint;
let path = "";
let model: Model | undefined;
beforeAll(async () => {
  path = await importTiny(folder, "clara");
});
afterEach(async () => {
  await model?.dispose();
  model = undefined;
  await endpoint?.close();
});
afterAll(() => rmSync(folder, { recursive: true }));

function configOf(send: "text" | "memory", { expansion }: Partial<RagConfig> = {}): RagConfig {
  const settings = defaultConfig();
  const remote = { url: endpoint.url, model: "tiny", send, timeoutSeconds: 5, retries: 0 } as const;
  return {
    ...settings,
    compression: { enabled: true, model: path, rate },
    generation: { maxNewTokens: 8, temperature: 0, endpoint: remote },
    guardrails: { ...settings.guardrails, requireCitations: false },
    ...(expansion && { expansion }),
  };
}

describe("an imported CLaRa whose answers an endpoint writes", () => {
  it("from memories: sends the prompt as embeddings, the closest memories in their places", async () => {
    const writes: Behaviour = (response) =>
      response
        .writeHead(200, { "content-type": "application/json" })
        .end(
          JSON.stringify({ choices: [{ text: " by the lake ", finish_reason: "stop" }], usage: { prompt_tokens: 9 } }),
        );
    endpoint = await startEndpoint(() => writes);
    model = await loadModel(configOf("memory"), { threads: 1 });
    const corpus = await corpusOfTexts(texts, model, rate);
    const given = await answer(question, corpus, model, configOf("memory"));
    expect(given).toMatchObject({ answer: "by the lake", refused: false, tokens: { read: 0 } });

    const [{ path: asked, body }] = endpoint.asked as [Endpoint["asked"][0]];
    expect([asked, body.max_tokens, body.messages, body.prompt]).toEqual(["/v1/completions", 8, undefined, undefined]);
    const { "": sent } = readTorchFile(Buffer.from(body.prompt_embeds, "base64"));
    const folder = await readClaraFolder(path);
    const [T, D] = sent!.shape as [number, number];
    expect(D).toBe(folder.decoder.width);
    const rows = Array.from({ length: T }, (_, t) => [...sent!.data.subarray(t * D, (t + 1) * D)]);
    // Two documents, as the model was trained with, of two memory tokens each.
    const memories = given.hits.slice(0, 2).map(({ passage }) => dequantizeMemory(corpus.memory(passage)).vectors);
    const places = memories.map((vectors) => rows.findIndex((row) => `${row}` === `${[...vectors.subarray(0, D)]}`));
    expect(places.every((place) => place > 0)).toBe(true);
    for (const [i, place] of places.entries()) expect(rows[place + 1]).toEqual([...memories[i]!.subarray(D)]);
    // All others are rows of the table.
    const table = wordTable(folder.paths.base, "input", ({ shape, rows }) => {
      const all = rows(0, shape[0]);
      return new Set(Array.from({ length: shape[0] }, (_, id) => `${[...all.subarray(id * D, (id + 1) * D)]}`));
    });
    const others = rows.filter((_, t) => !places.some((place) => t === place || t === place + 1));
    expect(others.length).toBeGreaterThan(10);
    expect(others.every((row) => table.has(`${row}`))).toBe(true);
  });

  it("from text: whole passages, with quotes", async () => {
    endpoint = await startEndpoint(() => 'by the lake\nQuote: "the mill is by the lake"');
    model = await loadModel(configOf("text"), { threads: 1 });
    expect(model.contexts).toEqual(["text"]);
    const corpus = await corpusOfTexts(texts, model, rate);
    const given = await answer(question, corpus, model, configOf("text"));
    expect(given).toMatchObject({ answer: "by the lake", citations: [{ verified: true, document: "0" }] });
    expect(given.tokens.read).toBe(given.tokens.text);
    for (const { text } of texts) expect(endpoint.asked[0]!.prompt).toContain(text);
  });

  it("is not the embedded kind of model", async () => {
    endpoint = await startEndpoint(() => "x");
    const config = configOf("memory");
    const embedded = { ...config, compression: { ...config.compression, model: "@clara/mini" } };
    await expect(loadModel(embedded)).rejects.toMatchObject({
      code: "config",
      message: expect.stringMatching(/^generation\.endpoint\.send: "memory" needs an imported CLaRa, and .* is none/),
    });
  });
});

describe("openWordRows", () => {
  it("reads rows of the table that it has, and says where there is no table", async () => {
    const { base } = (await readClaraFolder(path)).paths;
    const words = openWordRows(base);
    const [count, third] = wordTable(base, "input", ({ shape, rows }) => [shape[0], rows(3, 4)]);
    expect(words.row(3)).toEqual(third);
    expect(words.row(count)).toBeUndefined();
    words.close();
    expect(() => openWordRows(join(folder, "none")).row(0)).toThrow(/none: no such file/);
  });
});
