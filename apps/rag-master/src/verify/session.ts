import type { Weights } from "@clara/core";
import type { Engine } from "@clara/engine";
import {
  adapterArrays,
  type ClaraTokenizer,
  chatTemplate,
  claraTokenizer,
  type DecoderConfig,
  decoderArrays,
  openTorchFile,
  parseDecoderConfig,
  type RenderChat,
  sourceOf,
} from "@clara/model";
import {
  type ClaraShape,
  memoryTokensOf,
  parseReferenceConfig,
  type ReferenceCheckpoint,
  type Role,
  readReferenceCheckpoint,
  referenceStages,
} from "@clara/train";
import { type Folder, MissingFile } from "./folder.ts";

/** A checkpoint on its base, by our paths. */
export interface LoadedCheckpoint {
  readonly shape: ClaraShape;
  /** Tokens of the longest document. */
  readonly documentTokens: number;
  readonly base: Weights;
  readonly adapters: Readonly<Partial<Record<Role, Weights>>>;
}

/** What is known of the checkpoint that a file was recorded with, where the file does not name it. */
export interface CheckpointTraits {
  /** As the reference calls it. */
  readonly stage: string;
  readonly memoryTokens?: number | undefined;
  readonly documentTokens?: number | undefined;
  /** Of the file: may name the rate. */
  readonly name: string;
}

/** What groups share: files, and what has been read of them. */
export interface Session {
  readonly folder: Folder;
  readonly signal: AbortSignal | undefined;
  /** Starts at the first call. */
  engine(): Promise<Engine>;
  decoder(): DecoderConfig;
  /** Of `base`, or of another folder with the tokenizer's files. */
  tokenizer(memoryTokens: number, folder?: string): ClaraTokenizer;
  render(folder?: string): RenderChat;
  reference(path: string): ReferenceCheckpoint;
  checkpoint(path: string): LoadedCheckpoint;
  /** Path of the checkpoint that fits best. @throws MissingFile when none does. */
  findCheckpoint(traits: CheckpointTraits): string;
}

/** alpha / R of all adapters, as the reference makes them; no file says so. */
const loraScale = 2;

export function createSession(folder: Folder, { signal, engine }: Pick<Session, "signal" | "engine">): Session {
  const decoder = once(() => parseDecoderConfig(folder.json("base/config.json")));
  const decoderWeights = once(() => folder.decoder("base"));
  const references = new Map<string, ReferenceCheckpoint>();
  const loaded = new Map<string, LoadedCheckpoint>();

  const session: Session = {
    folder,
    signal,
    engine,
    decoder,
    tokenizer: (memoryTokens, from = "base") =>
      claraTokenizer({
        tokenizer: folder.json(`${from}/tokenizer.json`),
        config: folder.json(`${from}/tokenizer_config.json`),
        memoryTokens,
      }),
    render: (from = "base") => {
      const config = folder.json<{ chat_template?: unknown }>(`${from}/tokenizer_config.json`);
      const file = `${from}/chat_template.jinja`;
      const template = config.chat_template ?? new TextDecoder().decode(folder.bytes(file));
      return chatTemplate(template, session.tokenizer(1, from));
    },
    reference: (path) =>
      remember(references, path, () => {
        const files = {
          config: folder.json(`${path}/config.json`),
          adapters: folder.bytes(`${path}/adapters.pth`),
          tables: folder.bytes(`${path}/decoder_first_last_layers.pth`),
        };
        const base = folder.has("base/config.json") ? decoder() : {};
        return readReferenceCheckpoint(files, { ...base, ...vocabularyOf(session) });
      }),
    checkpoint: (path) =>
      remember(loaded, path, () => {
        const { config, tables, adapters } = session.reference(path);
        const memoryTokens = memoryTokensOf(config);
        const rows = tables["model.embed_tokens.weight"]!.shape[0]!;
        // The last rows of the table: memory tokens, <AE>, <ENC>, <SEP>.
        const shape = { decoder: decoder(), memoryTokens, firstMemoryId: rows - memoryTokens - 3, loraScale };
        const own = Object.entries(adapters).map(([role, weights]) => [role, adapterArrays(weights, decoder())]);
        return {
          shape,
          documentTokens: config.documentTokens,
          // The reference cuts a table that is longer than its tokenizer.
          base: decoderArrays(
            { ...decoderWeights(), ...tables },
            { ...decoder(), vocabulary: Math.min(decoder().vocabulary, rows) },
          ),
          adapters: Object.fromEntries(own),
        };
      }),
    findCheckpoint: (traits) => findCheckpoint(folder, traits),
  };
  return session;
}

/** How many tokens the base's tokenizer has: as many rows has its table in a checkpoint, however many it had before. */
export function vocabularyOf({ folder, tokenizer }: Session): { vocabulary?: number } {
  return folder.has("base/tokenizer.json") ? { vocabulary: tokenizer(1).size - 4 } : {};
}

/**
 * Copies in 16 bits are there to be read: nothing was computed with them, unless there are no others. Then by the rate in the file's
 * name, else the rate that most stages have.
 */
function findCheckpoint(folder: Folder, { stage, memoryTokens, documentTokens, name }: CheckpointTraits): string {
  const readable = folder.foldersWith("checkpoints", "config.json").flatMap((path) => {
    try {
      const config = parseReferenceConfig(folder.json(`${path}/config.json`));
      const [first] = Object.values(openTorchFile(sourceOf(folder.bytes(`${path}/adapters.pth`))));
      return first ? [{ path, config, whole: first.dtype === "F32" }] : [];
    } catch {
      return []; // the group "checkpoints" says what is wrong with it
    }
  });
  const all = readable.filter(({ whole }) => whole || !readable.some((other) => other.whole));
  const fits = all.filter(
    ({ config }) =>
      referenceStages[config.stage] === stage &&
      (memoryTokens ?? memoryTokensOf(config)) === memoryTokensOf(config) &&
      (documentTokens ?? config.documentTokens) === config.documentTokens,
  );
  const rank = ({ config: { rate } }: (typeof all)[number]): number =>
    (new RegExp(`rate${rate}(\\D|$)`).test(name) ? 1000 : 0) + all.filter(({ config }) => config.rate === rate).length;
  const [best] = fits.toSorted((a, b) => rank(b) - rank(a));
  const which = memoryTokens === undefined ? "" : ` with ${memoryTokens} memory tokens`;
  if (!best) throw new MissingFile(`a readable checkpoint of ${stage}${which} in checkpoints/`);
  return best.path;
}

function once<T>(make: () => T): () => T {
  let made: { readonly value: T } | undefined;
  return () => {
    made ??= { value: make() };
    return made.value;
  };
}

function remember<T>(known: Map<string, T>, key: string, make: () => T): T {
  const found = known.get(key);
  if (found !== undefined) return found;
  const made = make();
  known.set(key, made);
  return made;
}
