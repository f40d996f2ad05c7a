import type { Span } from "./sentences.ts";

/** A part of a passage by its form. */
export interface Part extends Span {
  readonly kind: "heading" | "paragraph" | "item" | "entry" | "record" | "table" | "code";
  /** Of a list item: its number in an ordered list, 0 in one without numbers. */
  readonly number?: number;
  /** Of code: the language after the fence. */
  readonly language?: string;
}

const heading = /^#{1,6}\s+\S/;
const item = /^\s*(?:[-*+•]|(\d{1,3})[.)])\s+(?=\S)/;
const entry = /^(?:\s*(?:[-*+•]\s+)?)(?:\*\*|__)?[\p{L}\p{N}`][^:|{}<>*_]{0,48}(?:\*\*|__)?\s*:(?:\*\*|__)?\s+\S/u;
/** `Name: value; Other: value`, at least two of them: how rows and JSON objects are written as text. */
const record = /^[^:;\n]{1,48}: [^;\n]+(?:; [^:;\n]{1,48}: [^;\n]+)+/;

/** A line of a program whose fence is in another passage. */
function looksLikeCode(line: string): boolean {
  return (
    (/^\s*(?:import|export|const|let|var|return|function|class|interface|type|await|async|if \(|for \(|\/\/|\/\*|<\/?\w|[})\]]+[;,)]*\s*$)/.test(
      line,
    ) &&
      /[;{}()=<>,]|\/\//.test(line)) ||
    (/(?:[{};]|\($|=>|\) \{?|['")\]},\d],)$/.test(line.trimEnd()) &&
      /[=(:'"{}]/.test(line) &&
      !/^\s*\|/.test(line) &&
      !/[a-z] [a-z]+ [a-z]+ [a-z]+/.test(line))
  );
}

/** The parts of a passage, in order. Blank lines are in none. */
export function layout(text: string): Part[] {
  const parts: Part[] = [];
  let open: { start: number; end: number } | null = null;
  let code: { start: number; language: string } | null = null;
  const flush = (): void => {
    if (open) parts.push({ kind: "paragraph", ...open });
    open = null;
  };
  let at = 0;
  for (const raw of text.split("\n")) {
    const line = raw.replace(/\r$/, "");
    const start = at;
    const end = at + line.length;
    at += raw.length + 1;
    const fence = /^\s*(?:```+|~~~+)\s*([\w-]*)/.exec(line);
    if (code) {
      if (!fence) continue;
      parts.push({ kind: "code", start: code.start, end: start, language: code.language });
      code = null;
      continue;
    }
    if (fence) {
      flush();
      code = { start: at, language: fence[1]!.toLowerCase() };
      continue;
    }
    if (line.trim() === "" || /^\s*(?:-{3,}|={3,}|\*{3,}|\[\/\/\]: #.*|<!--.*-->)\s*$/.test(line)) {
      flush();
      continue;
    }
    if (looksLikeCode(line)) {
      flush();
      continue;
    }
    const numbered = item.exec(line);
    if (heading.test(line)) {
      flush();
      parts.push({ kind: "heading", start: start + line.indexOf(" ") + 1, end });
    } else if (/^\s*\|.*\|\s*$/.test(line)) {
      flush();
      const last = parts.at(-1);
      if (last?.kind === "table" && text.slice(last.end, start).trim() === "")
        parts[parts.length - 1] = { ...last, end };
      else parts.push({ kind: "table", start, end });
    } else if (record.test(line) && !/[.!?]\s/.test(line.split("; ")[0]!)) {
      flush();
      parts.push({ kind: "record", start, end });
    } else if (
      entry.test(line) &&
      !/^\W*(?:q|a|question|answer)\W*:/i.test(line) &&
      !/https?:\/\/|\?/.test(line.slice(0, 60)) &&
      line.slice(line.indexOf(":") + 1).trim().length < 160
    ) {
      flush();
      parts.push({ kind: "entry", start: start + (numbered?.[0].length ?? 0), end });
    } else if (numbered) {
      flush();
      parts.push({ kind: "item", start: start + numbered[0].length, end, number: Number(numbered[1] ?? 0) });
    } else {
      const quote = /^\s*>+\s?/.exec(line)?.[0].length ?? 0;
      const last = parts.at(-1);
      // A list item that an editor wrapped goes on, indented.
      if (
        !open &&
        last?.kind === "item" &&
        /^\s{2,}/.test(line) &&
        text.slice(last.end, start).trim() === "" &&
        text.slice(last.end, start).split("\n").length === 2
      )
        parts[parts.length - 1] = { ...last, end };
      else if (open && quote === 0) open = { ...(open as Span), end };
      else {
        flush();
        open = { start: start + quote, end };
      }
    }
  }
  // The fence that would close it is in the next passage.
  if (code) parts.push({ kind: "code", start: code.start, end: text.length, language: code.language });
  flush();
  return parts.filter(({ start, end }) => end > start);
}
