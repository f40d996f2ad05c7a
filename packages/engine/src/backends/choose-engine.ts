import { ClaraError } from "@clara/core";
import type { BackendName } from "./types.ts";

export type EngineName = "compiled" | BackendName;

/** What `auto` tries, in order. A GPU is used when it is asked for: looking for one takes seconds and memory. */
export const autoOrder: readonly EngineName[] = ["compiled", "tfjs-node", "wasm", "cpu"];

export interface ChosenEngine<T> {
  readonly name: EngineName;
  readonly engine: T;
  /** The engines before it that did not start, and why. */
  readonly passedOver: readonly { readonly name: EngineName; readonly reason: string }[];
}

/**
 * Starts the engine that is preferred. One name means that engine or an error; a list means the first of them that
 * starts; `auto` means the first of `autoOrder`. A choice that passed an engine over says so.
 *
 * @throws ClaraError "engine" when none starts, "option" when the list is empty; "aborted" passes through.
 */
export async function chooseEngine<T>(
  prefer: EngineName | "auto" | readonly EngineName[],
  start: (name: EngineName) => Promise<T>,
): Promise<ChosenEngine<T>> {
  if (typeof prefer === "string" && prefer !== "auto") {
    return { name: prefer, engine: await start(prefer), passedOver: [] };
  }
  const names = prefer === "auto" ? autoOrder : prefer;
  if (names.length === 0) throw new ClaraError("option", "chooseEngine: prefer must name at least one engine, got []");
  const passedOver: { name: EngineName; reason: string }[] = [];
  const causes: unknown[] = [];
  for (const name of names) {
    try {
      return { name, engine: await start(name), passedOver };
    } catch (error) {
      if (error instanceof ClaraError && error.code === "aborted") throw error;
      passedOver.push({ name, reason: error instanceof Error ? error.message : String(error) });
      causes.push(error);
    }
  }
  const reasons = passedOver.map(({ name, reason }) => `${name}: ${reason}`);
  throw new ClaraError("engine", [`chooseEngine: none of ${names.join(", ")} starts`, ...reasons].join("\n"), {
    cause: new AggregateError(causes),
  });
}
