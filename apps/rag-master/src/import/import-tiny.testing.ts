import { existsSync } from "node:fs";
import { join } from "node:path";
import type { TorchInput } from "@clara/model";
import { referenceConfig } from "@clara/train";
import { inspect } from "./inspect.ts";
import type { Precision } from "./plan.ts";
import { runImport } from "./run-import.ts";
import { writeTinyBase, writeTinyCheckpoint } from "./tiny-checkpoint.testing.ts";

export interface ImportTinyOptions {
  readonly precision?: Precision;
  readonly adapters?: Record<string, TorchInput>;
  /** Imports the base alone. @default false */
  readonly decoder?: boolean;
}

/** A tiny checkpoint imported into `folder/name`: two memory tokens for 256 tokens of a document, two documents in a prompt. */
export async function importTiny(
  folder: string,
  name: string,
  { precision = "float32", adapters, decoder = false }: ImportTinyOptions = {},
): Promise<string> {
  const base = join(folder, "base");
  if (!existsSync(base)) writeTinyBase(base);
  const checkpoint = join(folder, `${name}-checkpoint`);
  const sizes = { stage: "endToEnd", documentTokens: 256, rate: 128, rank: 2, documents: 2 } as const;
  writeTinyCheckpoint(checkpoint, {
    config: referenceConfig(sizes, { base: "a/base" }),
    ...(adapters && { adapters }),
  });
  const inspected = decoder ? inspect(base, { precision }) : inspect(checkpoint, { base, precision });
  try {
    await runImport(inspected, join(folder, name));
    return join(folder, name);
  } finally {
    inspected.close();
  }
}
