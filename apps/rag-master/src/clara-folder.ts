import { createHash } from "node:crypto";
import { createReadStream, existsSync, statSync } from "node:fs";
import { basename, join } from "node:path";
import { ClaraError, type Weights } from "@clara/core";
import type { Calibration } from "@clara/mini";
import {
  type ClaraTokenizer,
  chatTemplate,
  claraTokenizer,
  type DecoderConfig,
  decoderTensors,
  openSafetensors,
  packedPath,
  parseDecoderConfig,
  type RenderChat,
  type StoredTensor,
  toFloat32,
} from "@clara/model";
import type { Role } from "@clara/train";
import { openSource } from "./import/file-source.ts";
import type { ClaraSettings } from "./import/inspect.ts";
import { type Precision, precisions } from "./import/plan.ts";
import { parseObject, readConfig, readSmall, textOf } from "./import/small-files.ts";
import { explained } from "./import/stored-decoder.ts";

const fileKinds = ["base", "adapters", "tokenizer", "tokenizerConfig", "chatTemplate"] as const;
type FileKind = (typeof fileKinds)[number];

/** The two fits of a model's `calibration` that CLaRa has a use for. */
export type ClaraCalibration = Pick<Calibration, "support" | "confidence">;

/** A model folder of `import`: a decoder, and what makes a CLaRa of it. */
export interface ClaraFolder {
  readonly folder: string;
  /** Name and the start of a hash of all files. */
  readonly id: string;
  readonly kind: "clara" | "decoder";
  /** Of the weights, as their folders stated it. */
  readonly licence: { readonly checkpoint?: string | null; readonly base: string | null };
  readonly precision: Precision;
  readonly decoder: DecoderConfig;
  /** Undefined for a decoder that is no CLaRa yet. */
  readonly clara: ClaraSettings | undefined;
  /** What turns scores into probabilities, for who has fitted it: `import` writes none. */
  readonly calibration: ClaraCalibration | undefined;
  /** Of each file, as config.json states it. */
  readonly sha256: { readonly [Kind in FileKind]?: string } & { readonly base: string; readonly tokenizer: string };
  /** `base` can be mapped: `engine.params({ file })`. */
  readonly paths: { readonly [Kind in FileKind]?: string } & {
    readonly base: string;
    readonly tokenizer: string;
    readonly tokenizerConfig: string;
  };
  readonly bytes: number;
  /** An adapter's matrices by our paths; undefined when the checkpoint had none for that role. */
  adapter(role: Role): Weights | undefined;
  /** @throws ClaraError "unsupported" for a decoder that is no CLaRa. */
  tokenizer(): ClaraTokenizer;
  /** The chat template. @throws ClaraError "weights" when there is none. */
  render(): RenderChat;
}

/**
 * Opens a model folder of `import`. Nothing large is read: config, sizes of files, names and shapes of tensors are checked.
 *
 * @param options.verify also reads all files and compares their sha256. @default false
 * @throws ClaraError "weights" that names the file and what is wrong with it.
 */
export async function readClaraFolder(
  folder: string,
  { verify = false }: { readonly verify?: boolean } = {},
): Promise<ClaraFolder> {
  const path = join(folder, "config.json");
  const fail = (problem: string): never => {
    throw new ClaraError("weights", `${path}: ${problem}; import the model again`);
  };
  if (!existsSync(path)) {
    const begun = existsSync(join(folder, "import.jsonl"))
      ? "its import is not done; run it again to go on"
      : "import a model";
    throw new ClaraError("weights", `${path}: no such file: ${begun}`);
  }
  const json = readConfig(path);
  const { id, kind, precision, licence } = json;
  if (typeof id !== "string" || (kind !== "clara" && kind !== "decoder")) {
    fail('is no model\'s of `import`: it needs "id" and "kind", clara or decoder');
  }
  if (!precisions.includes(precision as Precision)) fail(`precision must be one of ${precisions.join(", ")}`);
  const decoder = explained(path, () => parseDecoderConfig(json.decoder));
  const clara = kind === "clara" ? claraSettings(json.clara, fail) : undefined;
  const { paths, sha256, entries } = filesOf(folder, json.files, fail);
  if (clara && !paths.adapters) fail("files.adapters is missing");
  checkBase(paths.base, decoder, clara);
  if (verify) for (const [file, entry] of entries) await verifyHash(file, entry.sha256);
  const tokenizerFiles = () => ({
    tokenizer: parseObject(paths.tokenizer, readSmall(paths.tokenizer)),
    config: parseObject(paths.tokenizerConfig, readSmall(paths.tokenizerConfig)),
  });
  const tokenizer = (): ClaraTokenizer => {
    if (!clara)
      throw new ClaraError("unsupported", `${folder}: is a decoder that is no CLaRa yet; it has no memory tokens`);
    return explained(folder, () => claraTokenizer({ ...tokenizerFiles(), memoryTokens: clara.memoryTokens }));
  };
  return {
    folder,
    id: id as string,
    kind: kind as ClaraFolder["kind"],
    licence: (licence ?? { base: null }) as ClaraFolder["licence"],
    precision: precision as Precision,
    decoder,
    clara,
    calibration: json.calibration === undefined ? undefined : calibrationOf(json.calibration, fail),
    sha256,
    paths,
    bytes: entries.reduce((sum, [, { bytes }]) => sum + bytes, 0),
    tokenizer,
    adapter: (role) =>
      paths.adapters && clara?.adapters.includes(role) ? readAdapter(paths.adapters, role) : undefined,
    render() {
      if (!paths.chatTemplate) throw new ClaraError("weights", `${folder}: the model has no chat template`);
      return chatTemplate(textOf(readSmall(paths.chatTemplate)), tokenizer());
    },
  };
}

function claraSettings(value: unknown, fail: (problem: string) => never): ClaraSettings {
  const clara = (value ?? {}) as Record<string, unknown>;
  for (const name of ["documentTokens", "rate", "memoryTokens", "documents"]) {
    if (!Number.isInteger(clara[name]) || (clara[name] as number) < 1)
      fail(`clara.${name} must be a whole number above 0`);
  }
  if (!((clara.loraScale as number) > 0)) fail("clara.loraScale must be a number above 0");
  const roles = clara.adapters;
  if (!Array.isArray(roles) || !roles.every((role) => ["compressor", "generator", "query"].includes(role))) {
    fail("clara.adapters must be a list of compressor, generator and query");
  }
  return clara as unknown as ClaraSettings;
}

function calibrationOf(value: unknown, fail: (problem: string) => never): ClaraCalibration {
  const fits = (value ?? {}) as Record<string, Record<string, unknown> | undefined>;
  const numbers = { support: ["bias", "best", "mean", "overlap"], confidence: ["bias", "margin", "support"] };
  for (const [fit, names] of Object.entries(numbers)) {
    if (names.every((name) => Number.isFinite(fits[fit]?.[name]))) continue;
    fail(`calibration.${fit} must have the numbers ${names.join(", ")}`);
  }
  return value as ClaraCalibration;
}

interface Entry {
  readonly name: string;
  readonly sha256: string;
  readonly bytes: number;
}

function filesOf(
  folder: string,
  files: unknown,
  fail: (problem: string) => never,
): Pick<ClaraFolder, "paths" | "sha256"> & { entries: [path: string, Entry][] } {
  const named = (files ?? {}) as Partial<Record<string, Entry>>;
  const found = fileKinds.flatMap((kind): [FileKind, string, Entry][] => {
    const entry = named[kind];
    if (entry === undefined && (kind === "adapters" || kind === "chatTemplate")) return [];
    // A name with a path in it could lead anywhere.
    if (typeof entry?.name !== "string" || basename(entry.name) !== entry.name || typeof entry.sha256 !== "string") {
      return fail(`files.${kind} needs the name of a file beside it, sha256 and bytes`);
    }
    const path = join(folder, entry.name);
    const size = statSync(path, { throwIfNoEntry: false })?.size;
    if (size !== entry.bytes) {
      const got = size === undefined ? "no such file" : `has ${size} bytes`;
      throw new ClaraError("weights", `${path}: ${got}, expected ${entry.bytes} bytes; copy the folder again, whole`);
    }
    return [[kind, path, entry]];
  });
  const ofEach = (value: (path: string, entry: Entry) => string): object =>
    Object.fromEntries(found.map(([kind, path, entry]) => [kind, value(path, entry)]));
  return {
    paths: ofEach((path) => path) as ClaraFolder["paths"],
    sha256: ofEach((_, { sha256 }) => sha256) as ClaraFolder["sha256"],
    entries: found.map(([, path, entry]) => [path, entry]),
  };
}

/** Every tensor is there, whole or packed, and the table has a row for each token. */
function checkBase(path: string, decoder: DecoderConfig, clara: ClaraSettings | undefined): void {
  const tensors = tensorsOf(path, (of) =>
    Object.fromEntries(Object.entries(of).map(([name, { shape }]) => [name, shape])),
  );
  const rows = tensors.words?.[0] ?? 0;
  if (clara && rows !== decoder.vocabulary + clara.memoryTokens + 3) {
    throw new ClaraError("weights", `${path}: the table of words has ${rows} rows, config.json means another number`);
  }
  for (const { path: name, shape } of decoderTensors(decoder, rows)) {
    const packed = packedPath(name, shape[1] ?? 0, 1);
    if (tensors[name] || (packed && tensors[`${packed}.packed`] && tensors[`${packed}.scales`])) continue;
    throw new ClaraError("weights", `${path}: there is no tensor "${name}"; import the model again`);
  }
}

function readAdapter(path: string, role: Role): Weights {
  return tensorsOf(path, (tensors) => {
    const own = Object.entries(tensors).filter(([name]) => name.startsWith(`${role}.`));
    return Object.fromEntries(
      own.map(([name, { dtype, shape, read }]) => [
        name.slice(role.length + 1),
        { shape, data: toFloat32({ dtype, shape, bytes: read() }) },
      ]),
    );
  });
}

function tensorsOf<T>(path: string, use: (tensors: Readonly<Record<string, StoredTensor>>) => T): T {
  const source = openSource(path);
  try {
    return explained(path, () => use(openSafetensors(source).tensors));
  } finally {
    source.close();
  }
}

async function verifyHash(path: string, expected: string): Promise<void> {
  const hash = createHash("sha256");
  for await (const bytes of createReadStream(path, { highWaterMark: 2 ** 22 })) hash.update(bytes as Uint8Array);
  const sha256 = hash.digest("hex");
  if (sha256 === expected) return;
  throw new ClaraError(
    "weights",
    `${path}: sha256 is ${sha256}, expected ${expected}: the file is damaged or another model's; copy the folder again`,
  );
}
