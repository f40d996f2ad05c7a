import { createColors } from "picocolors";
import type { Colors } from "./colors.ts";
import { cutMiddle, oneLine } from "./safe-text.ts";

/** A citation as a reader needs it: which document, where, what it says. */
export interface ShownCitation {
  readonly document: string;
  /** Line of the document's text on which the quote starts, from 1. */
  readonly line: number;
  readonly quote: string;
  /** @default true */
  readonly verified?: boolean;
}

/** Characters of a quote on the terminal; `--json` has all of it. */
const QUOTE_LENGTH = 160;

/**
 * One line per citation: `[1] returns.md:12 "Unworn jackets can be returned …"`.
 *
 * @param colors of the stream it is written to; none by default.
 */
export function formatCitations(citations: readonly ShownCitation[], colors: Colors = createColors(false)): string {
  return citations
    .map(({ document, line, quote, verified = true }, i) => {
      const where = colors.cyan(`${oneLine(document)}:${line}`);
      const words = colors.dim(`"${cutMiddle(oneLine(quote).trim(), QUOTE_LENGTH)}"`);
      return `${colors.bold(`[${i + 1}]`)} ${where} ${words}${verified ? "" : colors.yellow(" (not verified)")}`;
    })
    .join("\n");
}
