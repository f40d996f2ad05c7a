import { ClaraError, type Generator } from "@clara/core";
import {
  type ChooseFragments,
  type ConfidenceFit,
  chatGenerator,
  claraMemoryPrompt,
  type RemoteModelOptions,
  remoteGenerator,
} from "@clara/generator";
import type { ClaraFolder } from "./clara-folder.ts";
import type { EndpointConfig, RagConfig } from "./config/index.ts";
import { openWordRows } from "./word-table.ts";

/** An environment variable's value, undefined when it is not set. */
export type Variable = (name: string) => string | undefined;

export interface TextByEndpointOptions {
  readonly variable: Variable;
  /** Chooses what is read for context `mixed`. @default context `text` alone */
  readonly fragments: ChooseFragments | undefined;
  readonly count: (text: string) => number;
}

/** Answers that the endpoint's model writes from text. The key is looked up at the first one: indexing does without it. */
export function textByEndpoint(
  { generation, cognitiveBrain: { persona, tone } }: RagConfig,
  { variable, ...options }: TextByEndpointOptions,
): Generator {
  return lazily("chat", () => chatGenerator({ ...remoteOptions(generation, variable), ...options, persona, tone }));
}

export interface MemoryByEndpointOptions {
  readonly variable: Variable;
  readonly confidence: ConfidenceFit | undefined;
}

/**
 * Answers that the endpoint's model writes from memories: it must serve the decoder of this folder, the generator's adapter
 * merged into it.
 */
export function memoryByEndpoint(
  folder: ClaraFolder,
  { generation }: RagConfig,
  { variable, confidence }: MemoryByEndpointOptions,
): Generator & { close(): void } {
  const words = openWordRows(folder.paths.base);
  const generator = lazily("remote", () => {
    const { row } = words;
    const { width } = folder.decoder;
    const prompt = claraMemoryPrompt({ tokenizer: folder.tokenizer(), render: folder.render(), row, width });
    return remoteGenerator({ ...remoteOptions(generation, variable), prompt, confidence });
  });
  const { documents } = folder.clara!;
  return {
    name: generator.name,
    generate: (query, evidence, options) => generator.generate(query, evidence.slice(0, documents), options),
    close: words.close,
  };
}

function remoteOptions({ endpoint, ...generation }: RagConfig["generation"], variable: Variable): RemoteModelOptions {
  const { url, model, keyVariable, timeoutSeconds, retries } = endpoint!;
  const key =
    keyVariable === undefined
      ? "generation.endpoint.key_variable (it names none, so that no key was sent)"
      : `the key in the environment variable ${keyVariable}`;
  return {
    endpoint: url,
    model,
    apiKey: keyOf(endpoint!, variable),
    connectTimeoutMs: timeoutSeconds * 1000,
    idleTimeoutMs: timeoutSeconds * 1000,
    retries,
    maxTokens: generation.maxNewTokens,
    temperature: generation.temperature,
    says: {
      name: "generation.endpoint",
      address: "generation.endpoint.url",
      model: "model",
      key,
      patience: "generation.endpoint.timeout_seconds",
    },
  };
}

function keyOf({ keyVariable }: EndpointConfig, variable: Variable): string | undefined {
  if (keyVariable === undefined) return undefined;
  const key = variable(keyVariable)?.trim();
  if (key) return key;
  throw new ClaraError(
    "config",
    `generation.endpoint.key_variable: the environment variable ${keyVariable} is not set; put the endpoint's key into it, ` +
      "or take key_variable out where the endpoint asks for none",
  );
}

function lazily(name: string, make: () => Generator): Generator {
  let made: Generator | undefined;
  return {
    name,
    async generate(...asked) {
      made ??= make();
      return made.generate(...asked);
    },
  };
}
