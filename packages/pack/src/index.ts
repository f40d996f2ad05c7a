export { type DocumentDiff, diffDocuments } from "./diff-documents.ts";
export { packVersion } from "./manifest.ts";
export { memoryBytes } from "./memory-file.ts";
export { type OpenPackOptions, openPack, type PackText, readPackText } from "./open-pack.ts";
export type { Manifest, Pack, PackContent, PackFile, PackIdentity, QuantizedMemory } from "./types.ts";
export { type WritePackOptions, writePack } from "./write-pack.ts";
