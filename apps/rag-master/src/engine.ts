import { createEngine, type Engine, type EngineName, engineNames } from "@clara/engine";

/** Where models can run: the engines of `@clara/engine`, and the compiled one on an NVIDIA GPU. */
export type EngineChoice = EngineName | "compiled-cuda";

export const engineChoices: readonly EngineChoice[] = engineNames.flatMap((name) =>
  name === "compiled" ? (["compiled", "compiled-cuda"] as const) : [name],
);

export interface OpenEngineOptions {
  /** One by name, or the error why not; "auto" is the first that starts here. @default "auto" */
  readonly engine?: EngineChoice | "auto" | undefined;
  /** Threads of one run. @default the machine's cores, at most 4 */
  readonly threads?: number | undefined;
  /** The folder below which `engine install` has built. */
  readonly cache?: string | undefined;
  /** Told which engine "auto" took, when a better one did not start. */
  readonly onPassedOver?: ((text: string) => void) | undefined;
}

/**
 * The one place that decides where models run. All of them run in this engine's worker.
 *
 * @throws ClaraError "engine" when the engine does not start.
 */
export async function openEngine(options: OpenEngineOptions = {}): Promise<Engine> {
  const { engine: choice = "auto", threads, cache, onPassedOver } = options;
  const cuda = choice === "compiled-cuda";
  const engine = await createEngine({
    prefer: cuda ? "compiled" : choice,
    ...(cuda && { provider: "cuda" }),
    ...(threads !== undefined && { threads }),
    ...(cache !== undefined && { cacheFolder: cache }),
  });
  if (engine.passedOver.length > 0) {
    const reasons = engine.passedOver.map(({ name, reason }) => `${name}: ${reason.split("\n")[0]}`);
    onPassedOver?.(
      `models run on the engine ${engine.name}, more slowly; doctor says what to do about ${reasons.join("; ")}`,
    );
  }
  return engine;
}
