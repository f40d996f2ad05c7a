export { type DocumentDiff, diffDocuments } from "./diff-documents.ts";
export { type OpenPackOptions, openPack, type PackText, readPackText } from "./open-pack.ts";
export type { Manifest, Pack, PackContent, PackFile, PackIdentity, QuantizedMemory } from "./types.ts";
export { type WritePackOptions, writePack } from "./write-pack.ts";
