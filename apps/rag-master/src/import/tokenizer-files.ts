import { join } from "node:path";
import { ClaraError } from "@clara/core";
import { chatTemplate, claraTokenizer, type DecoderTokenizer, decoderTokenizer, type RenderChat } from "@clara/model";
import { parseObject, readIfThere, readSmall, textOf } from "./small-files.ts";
import { explained } from "./stored-decoder.ts";

/** The tokenizer of a model: what its folder is to hold. */
export interface TokenizerFiles {
  readonly tokenizer: Uint8Array;
  readonly config: Uint8Array;
  /** Undefined when there is none: the model was not tuned on chats. */
  readonly template: string | undefined;
  /** Files that were read. */
  readonly from: readonly string[];
  /** What people should know. */
  readonly notes: readonly string[];
}

const tokenizerName = "tokenizer.json";
const configName = "tokenizer_config.json";
const templateName = "chat_template.jinja";

/** The tokenizer of a decoder's folder. @throws ClaraError "weights" when files are missing or cannot be used. */
export function decoderTokenizerFiles(folder: string): TokenizerFiles {
  const path = join(folder, tokenizerName);
  const tokenizer = readSmall(path);
  const config = readSmall(join(folder, configName));
  const own = readIfThere(join(folder, templateName));
  const names = parseObject(join(folder, configName), config);
  const built = explained(path, () => decoderTokenizer({ tokenizer: parseObject(path, tokenizer), config: names }));
  if (built.eos === undefined || built.tokenId(built.eos) === undefined) {
    throw new ClaraError(
      "weights",
      `${join(folder, configName)}: names no eos_token of the vocabulary, which ends every text and answer`,
    );
  }
  const template = own ? textOf(own) : templateOf(names.chat_template);
  if (template !== undefined) explained(folder, () => chatTemplate(template, built));
  const from = [path, join(folder, configName), ...(own ? [join(folder, templateName)] : [])];
  return { tokenizer, config, template, from, notes: [] };
}

/**
 * The tokenizer of a checkpoint. Its own files lack the memory tokens and pad as training needed it, so names and padding are the
 * base's. But two forms of one vocabulary are about, which put a space after a special token or none: the checkpoint's
 * own tokenizer.json is of the form that it was trained with. So is its chat template.
 *
 * @throws ClaraError "weights" when the tables do not have a row for each token.
 */
export function claraTokenizerFiles(
  base: TokenizerFiles,
  folder: string,
  { memoryTokens, rows }: { readonly memoryTokens: number; readonly rows: number },
): TokenizerFiles {
  const notes: string[] = [];
  const from = [...base.from];
  const path = join(folder, tokenizerName);
  const own = readIfThere(path);
  let { tokenizer, template } = base;
  if (own) {
    from.push(path);
    const [theirs, ours] = [parseObject(path, own), parseObject(base.from[0]!, base.tokenizer)];
    if (!sameVocabulary(theirs, ours)) {
      notes.push(`${path} has another vocabulary than the base model's, which is used`);
    } else if (!sameForm(theirs, ours)) {
      notes.push(`${path} splits texts in another way than the base model's with the same vocabulary; it is used`);
      tokenizer = own;
    }
  } else notes.push(`${path} is missing: the base model's is used, which may be of the other form`);
  const names = parseObject(base.from[1]!, base.config);
  const built = explained(tokenizer === own ? path : base.from[0]!, () =>
    claraTokenizer({ tokenizer: parseObject(path, tokenizer), config: names, memoryTokens }),
  );
  if (built.size !== rows || built.firstMemoryId !== rows - memoryTokens - 3) {
    throw new ClaraError(
      "weights",
      `${folder}: the tables have ${rows} rows, and the base's tokenizer with ${memoryTokens} memory tokens and 3 more ` +
        `has ${built.size} tokens; is --base the right model, its tokenizer.json whole, and compr_rate that of these files?`,
    );
  }
  const ownTemplate = readIfThere(join(folder, templateName));
  if (ownTemplate) {
    from.push(join(folder, templateName));
    const text = textOf(ownTemplate);
    const render = explained(join(folder, templateName), () => chatTemplate(text, built));
    if (template === undefined) notes.push("the base model has no chat template; the checkpoint's is used");
    else if (text !== template && !samePrompts(render, template, built)) {
      notes.push(
        "the checkpoint's chat template writes other prompts than the base model's; it is used, having been trained with",
      );
    }
    template = text;
  }
  if (template === undefined) {
    throw new ClaraError(
      "weights",
      `${folder}: there is no chat template, here or in the base: prompts cannot be written as they were in training; add ${templateName}`,
    );
  }
  return { tokenizer, config: base.config, template, from, notes };
}

/** The same pieces with the same ids, joined in the same order. */
function sameVocabulary(a: Readonly<Record<string, unknown>>, b: Readonly<Record<string, unknown>>): boolean {
  const [x, y] = [a.model, b.model] as ({ vocab?: object; merges?: unknown[] } | undefined)[];
  const [one, two] = [Object.entries(x?.vocab ?? {}), (y?.vocab ?? {}) as Record<string, unknown>];
  if (one.length !== Object.keys(two).length || one.some(([piece, id]) => two[piece] !== id)) return false;
  // Pairs are lists in newer files, and texts in older ones.
  const merges = (list: unknown): string =>
    JSON.stringify(((list ?? []) as unknown[]).map((pair) => (Array.isArray(pair) ? pair.join(" ") : pair)));
  const added = (file: Readonly<Record<string, unknown>>): string =>
    JSON.stringify(
      ((file.added_tokens ?? []) as { id?: unknown; content?: unknown }[]).map((of) => [of.id, of.content]),
    );
  return merges(x?.merges) === merges(y?.merges) && added(a) === added(b);
}

function sameForm(a: Readonly<Record<string, unknown>>, b: Readonly<Record<string, unknown>>): boolean {
  return ["normalizer", "pre_tokenizer", "decoder"].every(
    (part) => JSON.stringify(a[part] ?? null) === JSON.stringify(b[part] ?? null),
  );
}

/** A list of named templates is one of its "default". */
function templateOf(source: unknown): string | undefined {
  const named = Array.isArray(source) ? source.find((entry) => entry?.name === "default")?.template : source;
  return typeof named === "string" ? named : undefined;
}

function samePrompts(render: RenderChat, other: string, tokens: DecoderTokenizer): boolean {
  const chat = [
    { role: "system", content: "A" },
    { role: "user", content: "B" },
    { role: "assistant", content: "C" },
  ] as const;
  const written = (by: RenderChat): string => by(chat) + by(chat.slice(0, 2), { answerNext: true });
  try {
    return written(render) === written(chatTemplate(other, tokens));
  } catch {
    return false;
  }
}
