export type { Colors } from "./colors.ts";
export { formatCitations, type ShownCitation } from "./format-citations.ts";
export { exitCode, type FormatErrorOptions, formatError } from "./format-error.ts";
export type { Output } from "./output.ts";
export type { Progress } from "./progress.ts";
export { cutMiddle, oneLine, safeText } from "./safe-text.ts";
export { createTerminal, type Terminal, type TerminalOptions } from "./terminal.ts";
