/**
 * Which packages may import which of ours, as the design has it. A package that is not listed fails; an arrow is
 * added here only together with the design.
 */
export const ARROWS: Readonly<Record<string, readonly string[]>> = {
  core: [],
  tensor: ["core"],
  engine: ["core", "tensor"],
  model: ["core", "tensor"],
  compressor: ["core", "tensor", "model", "engine"],
  topk: ["core", "tensor"],
  generator: ["core", "tensor", "model", "engine"],
  retrieval: ["core"],
  pack: ["core", "retrieval"],
  train: ["core", "tensor", "engine", "model", "compressor", "topk", "generator"],
  evaluation: ["core"],
  mini: [],
  "rag-master": [
    "core",
    "tensor",
    "engine",
    "model",
    "compressor",
    "topk",
    "generator",
    "retrieval",
    "pack",
    "train",
    "evaluation",
    "mini",
  ],
};

/** Who may reach the machine: the rest are functions from values to values. Tests may, everywhere. */
export const MAY: Readonly<Record<"files" | "network" | "environment" | "print", (file: string) => boolean>> = {
  files: (file) => /^(packages\/(pack|mini)|apps\/rag-master)\//.test(file) || BACK_END.test(file) || WORKER.test(file),
  network: (file) => /^(apps\/rag-master|packages\/generator\/src\/remote)\//.test(file) || BACK_END.test(file),
  environment: (file) => /^apps\/rag-master\//.test(file) || WORKER.test(file),
  print: (file) => /^apps\/rag-master\//.test(file),
};

/** Retrieval back ends keep an index in a file or on a server. */
const BACK_END = /^packages\/retrieval\/src\/(back-?ends|retrievers)\//;
/**
 * The engine's worker maps weights and keeps traced programs; native libraries are found on disk, and are told by the
 * environment, before they load, not to report home and not to print.
 */
const WORKER =
  /^packages\/engine\/src\/(worker|channel|worker\/(stores|program-cache)|backends\/(environment|find-install))\.ts$/;
