import { relative, resolve, sep } from "node:path";
import { adapterNames, type Role } from "@clara/train";
import { oneLine } from "../terminal/index.ts";
import type { Inspected } from "./inspect.ts";
import { fileBytes } from "./write-tensors.ts";

/** What was found, as JSON. */
export interface ImportReport {
  readonly kind: "clara" | "decoder";
  readonly folder: string;
  readonly base: string;
  readonly out: string;
  readonly precision: string;
  readonly licence: Inspected["licence"];
  readonly clara: Inspected["clara"] | null;
  /** Adapters that a CLaRa can have and this one has not. */
  readonly missing: readonly Role[];
  /** Fields of config files that are not known here. */
  readonly unknownFields: readonly string[];
  readonly notes: readonly string[];
  readonly bytes: { readonly read: number; readonly written: number; readonly files: Readonly<Record<string, number>> };
}

export function reportOf(inspected: Inspected, out: string): ImportReport {
  const { kind, folder, base, precision, licence, clara, decoder, checkpoint, files, tokenizer, whole } = inspected;
  const roles = Object.keys(adapterNames) as Role[];
  const sizes = Object.fromEntries(files.map((file) => [file.name, fileBytes(file)]));
  const read = [...decoder.files, ...(checkpoint?.files ?? [])].reduce((sum, { bytes }) => sum + bytes, 0);
  const notes = [...tokenizer.notes];
  if (!clara && tokenizer.template === undefined)
    notes.push("there is no chat template; a CLaRa needs a model that was tuned on chats");
  if (whole.length > 0) {
    notes.push(
      `${whole.length} maps stay float32, as their rows are no whole blocks of 32: ${whole.slice(0, 3).join(", ")}`,
    );
  }
  if (precision !== "float32" && decoder.config.tiedHead) {
    notes.push("the head is the table of words, which stays float32; it is written once more in few bits");
  }
  if (decoder.unused.length > 0) {
    notes.push(
      `${decoder.unused.length} tensors that the decoder does not use: ${decoder.unused.slice(0, 3).join(", ")}`,
    );
  }
  return {
    ...{ kind, folder, base, out, precision, licence, clara: clara ?? null, notes },
    missing: clara ? roles.filter((role) => !clara.adapters.includes(role)) : [],
    unknownFields: [...new Set([...decoder.unknownFields, ...(checkpoint?.unknownFields ?? [])])],
    bytes: { read, written: Object.values(sizes).reduce((sum, bytes) => sum + bytes, 0), files: sizes },
  };
}

/** The report for people. */
export function linesOf(report: ImportReport, { decoder, checkpoint, rows }: Inspected): string[] {
  const { width, layers, heads, keyHeads } = decoder.config;
  const { licence, clara, missing } = report;
  const stated = (text: string | null | undefined): string =>
    text ?? "not stated in its folder; ask whoever gave it to you";
  const files = (of: readonly { readonly name: string; readonly bytes: number }[]): string =>
    `${of.length === 1 ? of[0]!.name : `${of.length} files`}, ${gigabytes(of.reduce((sum, { bytes }) => sum + bytes, 0))}`;
  const lines: [string, string][] = [];
  const add = (name: string, text: string): void => void lines.push([name, text]);
  if (clara && checkpoint) {
    add("checkpoint", `CLaRa, stage ${clara.stage}, in ${report.folder}: ${files(checkpoint.files)}`);
    add("licence", stated(licence.checkpoint));
    const found = checkpoint.adapters.map(({ role, name }) => `${role} (${name})`).join(", ");
    add("adapters", `${found}; rank ${checkpoint.config.rank}`);
    if (missing.length > 0) add("missing", missing.map((role) => `${role} adapter${without[role]}`).join("; "));
    const { rate, memoryTokens, documentTokens, documents } = clara;
    add("memory", `rate ${rate}: ${memoryTokens} memory tokens for up to ${documentTokens} tokens of a document`);
    add("prompt", `${documents} document${documents === 1 ? "" : "s"}, as trained`);
  }
  const family = String(decoder.fields.model_type);
  add(clara ? "base" : "decoder", `${family} in ${report.base}: ${files(decoder.files)}`);
  add("", `${layers} layers of width ${width}, ${heads} heads over ${keyHeads}, ${rows.toLocaleString("en")} tokens`);
  add("licence", stated(licence.base));
  if (report.unknownFields.length > 0) add("ignored", `fields not known here: ${report.unknownFields.join(", ")}`);
  for (const note of report.notes) add("note", note);
  const sizes = Object.entries(report.bytes.files).map(([name, bytes]) => `${name} ${gigabytes(bytes)}`);
  add("to write", `${report.precision}: ${sizes.join(", ")}`);
  // Names and licences are words of strangers' files.
  return lines.map(([name, text]) => `${name.padEnd(11)} ${oneLine(text)}`);
}

const without: Readonly<Record<Role, string>> = {
  compressor: "",
  generator: " (nothing can be answered from memories)",
  query: " (only end-to-end checkpoints have one; questions are read with the compressor's)",
};

/** The folder as a configuration can name it. */
export function yamlLine(out: string, { clara }: Pick<ImportReport, "clara">): string {
  const path = relative(process.cwd(), resolve(out)).split(sep).join("/");
  const model = path === "" || path.startsWith("../") ? resolve(out) : `./${path}`;
  const quoted = /^[\w./-]+$/.test(model) ? model : JSON.stringify(model);
  return `compression: { model: ${quoted}${clara ? `, rate: ${clara.rate}` : ""} }`;
}

export function gigabytes(bytes: number): string {
  return bytes >= 1e9 ? `${(bytes / 1e9).toFixed(1)} GB` : `${(bytes / 1e6).toFixed(1)} MB`;
}
