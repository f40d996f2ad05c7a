import { existsSync, readFileSync } from "node:fs";
import type { Weights } from "@clara/core";
import { chatTemplate, type RenderChat } from "../chat-template.ts";
import { type ClaraTokenizer, claraTokenizer } from "../clara-tokenizer.ts";
import { adapterArrays, decoderArrays } from "../decoder-arrays.ts";
import { type DecoderConfig, parseDecoderConfig } from "../decoder-config.ts";
import { readTorchFile } from "../torch-file.ts";
import { readWeights } from "../weights.ts";

const folder = new URL("../../../../../shared/fixtures/clara-tiny/", import.meta.url);

/** The reference's recorded values lie beside the repository, and not on every machine. */
export const haveFixtures: boolean = existsSync(folder);

export const readBytes = (path: string): Buffer => readFileSync(new URL(path, folder));

export function readJson<T>(path: string): T {
  return JSON.parse(readBytes(path).toString());
}

/** float32 tensors of a safetensors file. */
export function readFixture(path: string): Weights {
  return readWeights(readBytes(path));
}

export interface FixtureCheckpoint {
  readonly decoder: DecoderConfig;
  readonly tokenizer: ClaraTokenizer;
  readonly render: RenderChat;
  readonly documentTokens: number;
  readonly base: Weights;
  /** By the reference's name. */
  readonly adapters: Readonly<Record<string, Weights>>;
}

/** A checkpoint of the reference with its base, all by our paths. */
export function readCheckpoint(path: string): FixtureCheckpoint {
  const decoder = parseDecoderConfig(readJson("base/config.json"));
  const { compr_rate, doc_max_length: documentTokens } = readJson<{ compr_rate: number; doc_max_length: number }>(
    `${path}/config.json`,
  );
  const tables = readTorchFile(readBytes(`${path}/decoder_first_last_layers.pth`));
  const stored = Object.entries(readTorchFile(readBytes(`${path}/adapters.pth`)));
  const adapters = Map.groupBy(stored, ([name]) => name.slice(0, name.indexOf("/")));
  const config = readJson<{ chat_template: string }>("base/tokenizer_config.json");
  const tokenizer = claraTokenizer({
    tokenizer: readJson("base/tokenizer.json"),
    config,
    memoryTokens: Math.floor(documentTokens / compr_rate),
  });
  return {
    decoder,
    tokenizer,
    render: chatTemplate(config.chat_template, tokenizer),
    documentTokens,
    base: decoderArrays({ ...readFixture("base/model.safetensors"), ...tables }, decoder),
    adapters: Object.fromEntries(
      [...adapters].map(([adapter, tensors]) => {
        const own = tensors.map(([name, tensor]) => [name.slice(adapter.length + 1), tensor]);
        return [adapter, adapterArrays(Object.fromEntries(own), decoder)];
      }),
    ),
  };
}
