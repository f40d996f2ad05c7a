export { type FindFilesOptions, type Found, findFiles } from "./find-files.ts";
export { lineOf } from "./lines.ts";
export { type LoadFileOptions, loadFile, supportedExtensions } from "./load-file.ts";
export type { Block, FoundFile, Loaded, Skip, Skipped } from "./types.ts";
