export type { CountTokens } from "./pieces.ts";
export { type SplitOptions, splitDocument } from "./split-document.ts";
