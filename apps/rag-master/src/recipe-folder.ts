import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";

/** The recipes of the repository that the app lies in; undefined in an installed package. */
export function recipeFolder(): string | undefined {
  // src/ and dist/ are both one level below the app, so the same address works from both.
  const folder = fileURLToPath(new URL("../../../recipes", import.meta.url));
  return existsSync(folder) ? folder : undefined;
}
