import type { Passage } from "@clara/core";

/** A passage of a document of its own, or of one that is named. */
export function passageOf(
  text: string,
  { document = "a.md", title = "", at = 0 }: { document?: string; title?: string; at?: number } = {},
): Passage {
  return { id: `${document}#${at}`, document, title, text, start: 0, end: text.length, metadata: {} };
}
