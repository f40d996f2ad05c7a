/** A fenced block: its language, its text, and the line of its first line in the file. */
export interface Block {
  readonly language: string;
  readonly text: string;
  readonly line: number;
}

export interface Link {
  readonly target: string;
  readonly line: number;
}

/** The fenced blocks of a Markdown text. */
export function blocks(markdown: string): Block[] {
  const found: Block[] = [];
  let open: { fence: string; indent: string; language: string; line: number; text: string[] } | undefined;
  markdown.split(/\r?\n/).forEach((line, i) => {
    const fence = /^(\s*)(`{3,}|~{3,})\s*([^\s`]*)/.exec(line);
    if (!open && fence) {
      open = { indent: fence[1]!, fence: fence[2]!, language: fence[3]!.toLowerCase(), line: i + 2, text: [] };
    } else if (open && fence && fence[3] === "" && fence[2]!.startsWith(open.fence)) {
      found.push({ language: open.language, line: open.line, text: open.text.join("\n") });
      open = undefined;
    } else if (open) open.text.push(line.startsWith(open.indent) ? line.slice(open.indent.length) : line);
  });
  return found;
}

/** The targets of a Markdown text's links, images and HTML references, outside code. */
export function links(markdown: string): Link[] {
  return prose(markdown).flatMap((line, i) => {
    const plain = line.replace(/(`+)[^`]*\1/g, "");
    const inline = [...plain.matchAll(/\]\(\s*<?([^)\s>]+)>?(?:\s+["'(][^)]*)?\)/g)];
    const references = [...plain.matchAll(/^\s{0,3}\[[^\]]+\]:\s*<?([^\s>]+)/g)];
    const html = [...plain.matchAll(/\b(?:href|src)=["']([^"']+)["']/g)];
    return [...inline, ...references, ...html].map((match) => ({ target: match[1]!, line: i + 1 }));
  });
}

/** The anchors that a page shows for a Markdown text's headings, as GitHub makes them, and for its HTML ids. */
export function anchors(markdown: string): Set<string> {
  const found = new Set<string>();
  const counts = new Map<string, number>();
  for (const line of prose(markdown)) {
    for (const id of line.matchAll(/\b(?:id|name)=["']([^"']+)["']/g)) found.add(id[1]!);
    const heading = /^\s{0,3}#{1,6}\s+(.*?)\s*#*\s*$/.exec(line);
    if (!heading) continue;
    const text = heading[1]!.replace(/!?\[([^\]]*)\]\([^)]*\)/g, "$1").replace(/<[^>]+>/g, "");
    const slug = text
      .toLowerCase()
      .replace(/[^\p{L}\p{M}\p{N}\p{Pc}\- ]/gu, "")
      .replaceAll(" ", "-");
    const count = counts.get(slug) ?? 0;
    counts.set(slug, count + 1);
    found.add(count === 0 ? slug : `${slug}-${count}`);
  }
  return found;
}

/** The lines of a text, those of fenced blocks and comments empty, so that line numbers stay. */
function prose(markdown: string): string[] {
  const lines = markdown.replace(/<!--[\s\S]*?-->/g, (comment) => comment.replace(/[^\n]/g, "")).split(/\r?\n/);
  let fence = "";
  return lines.map((line) => {
    const mark = /^\s*(`{3,}|~{3,})(.*)/.exec(line);
    if (!fence && mark) {
      fence = mark[1]!;
      return "";
    }
    const closes = mark !== null && mark[1]!.startsWith(fence) && mark[2]!.trim() === "";
    if (!fence) return line;
    if (closes) fence = "";
    return "";
  });
}
