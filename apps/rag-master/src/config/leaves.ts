import type { RagConfig } from "./types.ts";

/** A setting by its YAML name. Lists are one setting. */
export interface Leaf {
  /** `["reranking", "min_score"]`. */
  readonly path: readonly string[];
  readonly value: unknown;
}

/** All settings of a configuration, in the order of the YAML file; names are the camelCase ones in snake_case. */
export function leaves(config: RagConfig): Leaf[] {
  const walk = (value: unknown, path: string[]): Leaf[] => {
    if (typeof value !== "object" || value === null || Array.isArray(value)) return [{ path, value }];
    return Object.entries(value).flatMap(([key, child]) => walk(child, [...path, snakeCase(key)]));
  };
  return walk(config, []);
}

function snakeCase(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}
