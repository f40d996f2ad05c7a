import { leaves } from "./leaves.ts";
import type { ParsedConfig, Source } from "./types.ts";

/**
 * The effective configuration as YAML, each value with where it came from (`# default`, `# rag_config.yaml:7`), then
 * the notes as comments. Read back it gives the same configuration.
 */
export function describeConfig({ config, sources, notes }: ParsedConfig): string {
  const rows: { text: string; from: string }[] = [{ text: "rag_master:", from: "" }];
  let open: readonly string[] = [];
  for (const { path, value } of leaves(config)) {
    const sections = path.slice(0, -1);
    sections.forEach((name, depth) => {
      const isOpen = sections.slice(0, depth + 1).every((section, i) => section === open[i]);
      if (!isOpen) rows.push({ text: `${indent(depth)}${name}:`, from: "" });
    });
    open = sections;
    rows.push({
      text: `${indent(sections.length)}${path.at(-1)}: ${literal(value)}`,
      from: origin(sources[path.join(".")]),
    });
  }
  // Long texts do not push the comments of all other lines to the right.
  const width = Math.max(...rows.map(({ text }) => (text.length <= 48 ? text.length : 0)));
  const lines = rows.map(({ text, from }) => (from ? `${text.padEnd(width)} # ${from}` : text));
  return [...lines, ...notes.map((note) => `# note: ${note}`), ""].join("\n");
}

function indent(depth: number): string {
  return "  ".repeat(depth + 1);
}

/** JSON is YAML; what JSON leaves raw and a terminal would obey is escaped as well. */
function literal(value: unknown): string {
  return JSON.stringify(value).replace(
    /[\u007f-\u009f\u2028\u2029]/g,
    (control) => `\\u${control.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

function origin(source: Source | undefined): string {
  return source?.from === "file" ? `${source.file}:${source.line}` : "default";
}
