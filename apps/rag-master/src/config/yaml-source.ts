import { ClaraError } from "@clara/core";
import { type Document, isAlias, isMap, isScalar, isSeq, LineCounter, type Node, parseDocument, visit } from "yaml";

export interface Position {
  readonly line: number;
  /** From 1, in UTF-16 units. */
  readonly column: number;
}

/** A YAML text, its values, and where each of them stands. */
export interface YamlSource {
  readonly value: unknown;
  /** Keys that stand twice in one section, with the place of the second. */
  readonly duplicates: readonly { readonly name: string; readonly at: Position }[];
  /** Where the key of a path stands; of a list's member, the member. The nearest that exists when the path does not. */
  locate(path: readonly (string | number)[]): Position;
}

/** Aliases may repeat a section; more than this is a mistake or a bomb. */
const MAX_ALIASES = 20;

/**
 * Reads YAML 1.2.
 *
 * @throws ClaraError "config" with all syntax errors, one a line, as `file:line:column: what`.
 */
export function readYaml(text: string, file: string): YamlSource {
  const lines = new LineCounter();
  const at = (offset: number): Position => {
    const { line, col } = lines.linePos(offset);
    return { line, column: col };
  };
  const document = parse(text, file, lines);

  const problems = [...document.errors, ...document.warnings];
  const duplicates = problems
    .filter(({ code }) => code === "DUPLICATE_KEY")
    .map(({ pos }) => ({ name: /^[^\s:,}]*/.exec(text.slice(pos[0]))![0], at: at(pos[0]) }));
  const broken = problems.filter(({ code }) => code !== "DUPLICATE_KEY");
  if (broken.length > 0) {
    const texts = broken.map(({ code, message, pos }) => place(file, at(pos[0]), plainly(code, message)));
    throw new ClaraError("config", [...new Set(texts)].join("\n"));
  }

  const lost: string[] = [];
  visit(document, {
    Alias(_, alias) {
      const what = `*${alias.source} repeats nothing; expected &${alias.source} before it`;
      if (!alias.resolve(document)) lost.push(place(file, at(alias.range?.[0] ?? 0), what));
    },
  });
  if (lost.length > 0) throw new ClaraError("config", lost.join("\n"));

  const locate = (path: readonly (string | number)[]) => at(offsetOf(document, path));
  let value: unknown;
  try {
    value = document.toJS({ maxAliasCount: MAX_ALIASES });
  } catch (cause) {
    throw new ClaraError(
      "config",
      `${file}: aliases (*name) may be used ${MAX_ALIASES} times at most and never inside \
what they repeat; write the values out`,
      { cause },
    );
  }
  return { value, duplicates, locate };
}

export function place(file: string, { line, column }: Position, what: string): string {
  return `${file}:${line}:${column}: ${what}`;
}

/** Plainer words for the mistakes people make; the library's own for the rest. */
const SYNTAX: Readonly<Record<string, string>> = {
  TAB_AS_INDENT: "a tab cannot indent; use spaces",
  MULTIPLE_DOCS: 'a second document ("---") starts here; expected only one',
  RESOURCE_EXHAUSTION: "brackets are nested too deep",
  TAG_RESOLVE_FAILED: "tags (!name) are not used here; write the plain value",
};

function plainly(code: string, message: string): string {
  if (message.startsWith("Implicit map keys need"))
    return 'expected "name: value"; is there a colon and a space missing?';
  return SYNTAX[code] ?? message;
}

function parse(text: string, file: string, lineCounter: LineCounter): Document.Parsed {
  try {
    return parseDocument(text, { lineCounter, prettyErrors: false });
  } catch (cause) {
    // The parser recurses: brackets nested thousands deep end the stack before they end the file.
    throw new ClaraError("config", `${file}: cannot be read as YAML (nested too deep?)`, { cause });
  }
}

function offsetOf(document: Document.Parsed, path: readonly (string | number)[]): number {
  let node: Node | null = document.contents;
  let offset = node?.range?.[0] ?? 0;
  for (const key of path) {
    if (isAlias(node)) return offset;
    if (isMap(node)) {
      // The last of two equal keys is the one whose value counts.
      const pair = node.items.findLast(
        (item) => String(isScalar(item.key) ? item.key.value : item.key) === String(key),
      );
      if (!pair) return offset;
      offset = (pair.key as Node).range?.[0] ?? offset;
      node = pair.value as Node | null;
    } else if (isSeq(node)) {
      node = (node.items[Number(key)] as Node | undefined) ?? null;
      offset = node?.range?.[0] ?? offset;
    } else return offset;
  }
  return offset;
}
