import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { createRequire, registerHooks } from "node:module";
import { basename, extname, join, resolve } from "node:path";
import { ClaraError } from "@clara/core";
import type { Recipe } from "@clara/train";
import { hashOf } from "../model-folder.ts";
import { checkRecipe } from "./check-recipe.ts";

export interface LoadedRecipe {
  readonly recipe: Recipe;
  readonly file: string;
  /** Of the file: a changed recipe is another recipe. */
  readonly sha256: string;
}

/**
 * Loads a recipe: code, which is run.
 *
 * @param name a path to a .ts or .js file, or the name of a file in `folder`.
 * @param folder where recipes are looked for by name.
 * @throws ClaraError "option" when there is none of that name, "config" when it cannot be loaded or says what no recipe can.
 */
export function loadRecipe(name: string, folder: string | undefined): LoadedRecipe {
  const file = findRecipe(name, folder);
  const recipe = checkRecipe(exportOf(file), file);
  const expected = basename(file, extname(file));
  if (recipe.name !== expected) {
    throw new ClaraError(
      "config",
      `${file}: name must be that of its file, "${expected}", found "${recipe.name}": checkpoints are told apart by it`,
    );
  }
  return { recipe, file, sha256: hashOf(readFileSync(file)) };
}

function findRecipe(name: string, folder: string | undefined): string {
  const isPath = /[\\/]/.test(name) || /\.[cm]?[jt]s$/.test(name);
  if (isPath) {
    if (existsSync(name) && statSync(name).isFile()) return resolve(name);
    throw new ClaraError("option", `${name}: no such file; a recipe is a .ts or .js file, or ${known(folder)}`);
  }
  const found = folder && [".ts", ".js"].map((ending) => join(folder, name + ending)).find((path) => existsSync(path));
  if (found) return found;
  throw new ClaraError("option", `there is no recipe "${name}"; give a path to a .ts or .js file, or ${known(folder)}`);
}

function known(folder: string | undefined): string {
  const names = folder ? readdirSync(folder).flatMap((file) => /^([^.]+)\.[jt]s$/.exec(file)?.[1] ?? []) : [];
  return names.length === 0
    ? "a name, where the repository's recipes are beside the app"
    : `one of ${names.join(", ")}`;
}

/** What a file exports as its default. Node.js takes the types out by itself. */
function exportOf(file: string): unknown {
  const own = createRequire(import.meta.url);
  // A recipe lies where it likes, and its `@clara/train` is this program's: from sources or built, and never a second copy.
  const hooks = registerHooks({
    resolve: (specifier, context, next) =>
      next(specifier, specifier.startsWith("@clara/") ? { ...context, parentURL: import.meta.url } : context),
  });
  try {
    const loaded: { readonly default?: unknown } = own(file);
    return loaded.default ?? loaded;
  } catch (cause) {
    throw new ClaraError("config", `${file}: ${describe(cause, file)}`, { cause });
  } finally {
    hooks.deregister();
  }
}

function describe(error: unknown, file: string): string {
  if (!(error instanceof Error)) return `cannot be loaded: it throws ${String(error)}`;
  const { code } = error as NodeJS.ErrnoException;
  if (code === "ERR_REQUIRE_ASYNC_MODULE") {
    return "awaits something at its top level; do that in build(), which may be async";
  }
  const line = new RegExp(`${file.replace(/[^\w]/g, "\\$&")}:(\\d+)`).exec(error.stack ?? "")?.[1];
  return `cannot be loaded${line ? ` (line ${line})` : ""}: ${error.name}: ${error.message.split("\n")[0]}`;
}
