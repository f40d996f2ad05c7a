import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";

/** The documents of an invented shop, as they lie beside the app in the repository; undefined in an installed package. */
export function sampleFolder(): string | undefined {
  // src/ and dist/ are both one level below the app, so the same address works from both.
  const folder = fileURLToPath(new URL("../../../examples/shop", import.meta.url));
  return existsSync(folder) ? folder : undefined;
}

/** Questions about the documents of `sampleFolder`, with answers. */
export function sampleQuestions(): string | undefined {
  const file = fileURLToPath(new URL("../../../examples/shop-questions.jsonl", import.meta.url));
  return existsSync(file) ? file : undefined;
}
