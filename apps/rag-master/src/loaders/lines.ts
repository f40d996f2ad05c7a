/** The 1-based line of an offset. Lines end with LF, CRLF or CR, as editors count them. */
export function lineOf(text: string, offset: number): number {
  let line = 1;
  const end = Math.min(offset, text.length);
  for (let i = 0; i < end; i++) {
    const code = text.charCodeAt(i);
    // The CR of a CRLF is counted with its LF.
    if (code === 10 || (code === 13 && text.charCodeAt(i + 1) !== 10)) line++;
  }
  return line;
}

/** Runs of white space as one space, none at the ends; soft hyphens, which nobody types in a question, removed. */
export function oneLine(text: string): string {
  return text.replaceAll("\u00ad", "").replace(/\s+/g, " ").trim();
}
