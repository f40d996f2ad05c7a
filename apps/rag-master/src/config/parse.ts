import { ClaraError } from "@clara/core";
import { isSection, ROOT, valueAt } from "./at.ts";
import { leaves } from "./leaves.ts";
import { describeProblem, describeStranger, show } from "./problems.ts";
import { impossible, notes } from "./rules.ts";
import { checkSettings, optionalSettings, type Problem } from "./schema.ts";
import type { ParsedConfig, RagConfig, Source } from "./types.ts";
import { place, readYaml, type YamlSource } from "./yaml-source.ts";

/** The configuration when there is no file. */
export function defaultConfig(): RagConfig {
  const checked = checkSettings({});
  if ("problems" in checked) throw new ClaraError("config", "defaultConfig: a default is outside its own range");
  return checked.config;
}

/**
 * Reads a configuration file's text.
 *
 * @param file how messages name it
 * @throws ClaraError "config" with everything that is wrong, one problem a line, as
 *   `file:line:column: setting, what was expected, what was found`.
 */
export function parseConfig(text: string, file: string): ParsedConfig {
  if (text.trim() === "") throw new ClaraError("config", `${file}: the file is empty; expected "${ROOT}:" at the top`);
  const yaml = readYaml(text, file);
  const { value: top, duplicates } = yaml;
  const names = [...leaves(defaultConfig()).map(({ path }) => path.join(".")), ...optionalSettings];
  if (!isSection(top) || !Object.hasOwn(top, ROOT)) {
    throw new ClaraError("config", withoutRoot(top, yaml, file, names));
  }

  const settings = top[ROOT];
  const strangers = Object.keys(top).filter((key) => key !== ROOT);
  const checked = checkSettings(settings);
  const problems = "problems" in checked ? checked.problems : [];
  const config = "config" in checked ? checked.config : without(settings, problems);
  const isWritten = (name: string) => valueAt(settings, name.split(".")) !== undefined;
  const found = [
    ...duplicates.map(({ name, at }) => ({ at, what: `${name} is set twice in the same section; keep one` })),
    ...strangers.map((key) => ({ at: yaml.locate([key]), what: describeStranger(key, names) })),
    ...problems.map((problem) => ({
      at: yaml.locate([ROOT, ...problem.path]),
      what: describeProblem(problem, settings, names),
    })),
    ...impossible(config, problems).map(({ settings: involved, what }) => {
      const written = involved.find(isWritten);
      return { at: yaml.locate(written ? [ROOT, ...written.split(".")] : [ROOT]), what };
    }),
  ];
  if (found.length > 0) {
    found.sort((a, b) => a.at.line - b.at.line || a.at.column - b.at.column);
    throw new ClaraError("config", found.map(({ at, what }) => place(file, at, what)).join("\n"));
  }

  const sources: Record<string, Source> = {};
  for (const { path } of leaves(config)) {
    const name = path.join(".");
    sources[name] = isWritten(name)
      ? { from: "file", file, line: yaml.locate([ROOT, ...path]).line }
      : { from: "default" };
  }
  return { config, sources, notes: notes(config, sources) };
}

function withoutRoot(top: unknown, yaml: YamlSource, file: string, names: readonly string[]): string {
  const keys = isSection(top) ? Object.keys(top) : [];
  if (keys.length > 0) {
    return keys.map((key) => place(file, yaml.locate([key]), describeStranger(key, names))).join("\n");
  }
  return place(file, yaml.locate([]), `expected "${ROOT}:" with settings below it, found ${show(top)}`);
}

/** What the rest of the file says once the wrong settings are taken out, so that combinations are checked as well. */
function without(settings: unknown, problems: readonly Problem[]): RagConfig {
  if (!isSection(settings)) return defaultConfig();
  const rest = structuredClone(settings);
  const remove = (path: Problem["path"]): void => {
    const section = valueAt(rest, path.slice(0, -1));
    if (isSection(section)) delete section[path.at(-1)!];
  };
  for (const { path } of problems) {
    const member = path.findIndex((key) => typeof key === "number");
    remove(member < 0 ? path : path.slice(0, member));
  }
  const checked = checkSettings(rest);
  if ("config" in checked) return checked.config;
  // A section that lacks now what it must have goes as a whole.
  for (const { path } of checked.problems) remove(path.slice(0, -1));
  const again = checkSettings(rest);
  return "config" in again ? again.config : defaultConfig();
}
