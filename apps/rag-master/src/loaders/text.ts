import type { Extracted } from "./types.ts";

/** Plain text: the file itself, one block. */
export function plainText(text: string): Extracted {
  return { text, blocks: [{ start: 0, end: text.length, heading: [], kind: "prose" }] };
}
