// A program of its own, run by doctor for each engine: what goes wrong in native code ends this process and no other.
import { fileURLToPath } from "node:url";
import { mini } from "@clara/mini";
import { bertEncoder, readWeights } from "@clara/model";
import { type EngineChoice, openEngine } from "./engine.ts";
import { readModelFolder } from "./model-folder.ts";

/** What the program prints, as JSON: a measurement, or why there is none. */
export type Measurement =
  | { readonly details: string; readonly passageMs: number; readonly estimated: boolean }
  | { readonly failure: string };

const tokens = 256;
/** Milliseconds above which one layer is measured, and multiplied by the number of layers. */
const patience = 3000;

async function measure(engineChoice: EngineChoice, cache: string): Promise<Measurement> {
  const engine = await openEngine({ engine: engineChoice, cache });
  const { layers, heads, layerNormEps } = mini.config;
  const files = await readModelFolder(fileURLToPath(new URL(".", mini.files.config)));
  const weights = readWeights(files.weights, { only: ["embeddings.", "compressor."] });
  const batch = {
    ids: new Int32Array(tokens).fill(2003),
    types: new Int32Array(tokens),
    mask: new Int32Array(tokens).fill(1),
    shape: [1, tokens],
  } as const;
  const timed = async (count: number): Promise<{ first: number; again(): Promise<number> }> => {
    const encoder = await bertEncoder(engine, { weights, layers: count, heads, layerNormEps, prefix: "compressor" });
    const run = async (): Promise<number> => {
      const started = performance.now();
      await encoder.run(batch);
      return performance.now() - started;
    };
    return { first: await run(), again: run };
  };
  const { details } = engine;
  const one = (await timed(1)).first * layers;
  if (one > patience) return { details, passageMs: one, estimated: true };
  const { again } = await timed(layers);
  const second = await again();
  const passageMs = second > 500 ? second : Math.min(second, await again());
  return { details, passageMs, estimated: false };
}

// All that TensorFlow has to say: doctor reads the reason from it when there is one to look for.
process.env.TF_CPP_MIN_LOG_LEVEL ??= "0";
const [choice = "", cache = ""] = process.argv.slice(2);
const measurement = await measure(choice as EngineChoice, cache).catch(
  (error: unknown): Measurement => ({ failure: error instanceof Error ? error.message : String(error) }),
);
// Nothing is kept alive for an engine that was only measured.
process.stdout.write(JSON.stringify(measurement), () => process.exit());
