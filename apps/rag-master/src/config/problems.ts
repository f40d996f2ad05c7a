import { ROOT, valueAt } from "./at.ts";
import type { Problem } from "./schema.ts";
import { suggest } from "./suggest.ts";

/** What is wrong with a setting, what was expected, what was found, and what to write when that can be guessed. */
export function describeProblem(
  { path, expected, unknown }: Problem,
  settings: unknown,
  names: readonly string[],
): string {
  const name = path
    .map((key) => (typeof key === "number" ? `[${key}]` : `.${key}`))
    .join("")
    .replace(/^\./, "");
  if (unknown) {
    const meant = suggest(name, names);
    return `${name} is not a setting; ${meant ? `did you mean "${meant}"?` : `expected ${siblings(path, names)}`}`;
  }
  const value = valueAt(settings, path);
  // Most likely it is the key itself.
  if (path.at(-1) === "key_variable" && typeof value === "string") {
    return `${name} must be ${expected}, found something else (not shown: it may be a key)`;
  }
  return `${name || ROOT} must be ${expected}, found ${show(value)}${hint(value, expected)}`;
}

/** What is wrong with a key at the top of the file that is not `rag_master`. */
export function describeStranger(key: string, names: readonly string[]): string {
  if (names.some((name) => name.startsWith(`${key}.`))) return `${key} must be below "${ROOT}:", indented`;
  const meant = suggest(key, [ROOT]);
  return `${key} is not a setting; ${meant ? `did you mean "${meant}"?` : `expected "${ROOT}:" at the top`}`;
}

/** A value of any kind, short enough for a message. */
export function show(value: unknown): string {
  if (value === null || value === undefined) return "nothing";
  if (Array.isArray(value)) return `a list of ${value.length}`;
  if (typeof value === "object") return `a section (${Object.keys(value).slice(0, 3).join(", ")})`;
  const text = typeof value === "string" ? JSON.stringify(withoutSecrets(value)) : String(value);
  return text.length > 60 ? `${text.slice(0, 56)}…` : text;
}

/** An address without its user, password and query. */
function withoutSecrets(text: string): string {
  return text.includes("://") ? text.replace(/\/\/[^/@]*@/g, "//…@").replace(/\?.*/s, "?…") : text;
}

function siblings(path: readonly (string | number)[], names: readonly string[]): string {
  const parent = path
    .slice(0, -1)
    .map((key) => `${key}.`)
    .join("");
  const inside = names.filter((name) => name.startsWith(parent));
  return [...new Set(inside.map((name) => name.slice(parent.length).split(".")[0]))].join(", ");
}

function hint(value: unknown, expected: string): string {
  if (typeof value !== "string") return "";
  if (expected.includes(" number ") && value.trim() !== "" && Number.isFinite(Number(value))) {
    return "; write it without quotes";
  }
  // YAML 1.1 read these as booleans, YAML 1.2 reads them as texts.
  if (expected === "true or false" && /^(yes|on)$/i.test(value)) return "; write true";
  if (expected === "true or false" && /^(no|off)$/i.test(value)) return "; write false";
  return "";
}
