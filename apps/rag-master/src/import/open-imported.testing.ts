import { type ClaraCompressor, claraCompressor } from "@clara/compressor";
import type { Engine } from "@clara/engine";
import { type ClaraGenerator, claraGenerator } from "@clara/generator";
import { readClaraFolder } from "../clara-folder.ts";

/** A model folder as it is to be used: the base mapped, adapters in the engine. */
export async function openImported(
  engine: Engine,
  path: string,
): Promise<{ readonly compressor: ClaraCompressor; readonly generator: ClaraGenerator }> {
  const folder = await readClaraFolder(path, { verify: true });
  const { documentTokens, loraScale } = folder.clara!;
  const base = await engine.params({ file: folder.paths.base });
  const query = folder.adapter("query");
  const shared = { base, decoder: folder.decoder, tokenizer: folder.tokenizer(), loraScale };
  const adapters = {
    compressor: await engine.params(folder.adapter("compressor")!),
    query: query && (await engine.params(query)),
  };
  const adapter = await engine.params(folder.adapter("generator")!);
  return {
    compressor: await claraCompressor(engine, { ...shared, adapters, documentTokens }),
    generator: await claraGenerator(engine, { ...shared, adapter, render: folder.render() }),
  };
}
