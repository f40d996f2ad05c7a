import { type ClaraCompressor, claraCompressor } from "@clara/compressor";
import type { Weights } from "@clara/core";
import { type ClaraGenerator, claraGenerator } from "@clara/generator";
import type { ClaraTokenizer, RenderChat } from "@clara/model";
import type { LoadedCheckpoint, Session } from "./session.ts";

/** A checkpoint as it is used. */
export interface Inference {
  readonly checkpoint: LoadedCheckpoint;
  readonly compressor: ClaraCompressor;
  readonly generator: ClaraGenerator;
  readonly tokenizer: ClaraTokenizer;
  readonly render: RenderChat;
  dispose(): Promise<void>;
}

/** @param options.generatorAdapter instead of the checkpoint's */
export async function openInference(
  path: string,
  session: Session,
  { generatorAdapter }: { readonly generatorAdapter?: (own: Weights) => Weights } = {},
): Promise<Inference> {
  const checkpoint = session.checkpoint(path);
  const { shape, documentTokens, adapters } = checkpoint;
  const engine = await session.engine();
  const own = adapters.generator ?? {};
  const [base, compressing, writing] = await Promise.all([
    engine.params(checkpoint.base),
    engine.params(adapters.compressor ?? {}),
    engine.params(generatorAdapter ? generatorAdapter(own) : own),
  ]);
  const query = adapters.query && (await engine.params(adapters.query));
  const [tokenizer, render] = [session.tokenizer(shape.memoryTokens), session.render()];
  const { decoder, loraScale } = shape;
  const common = { base, decoder, tokenizer, loraScale };
  const roles = { compressor: compressing, query };
  const compressor = await claraCompressor(engine, { ...common, adapters: roles, documentTokens });
  const generator = await claraGenerator(engine, { ...common, adapter: writing, render });
  return {
    checkpoint,
    compressor,
    generator,
    tokenizer,
    render,
    async dispose() {
      await compressor.dispose();
      await generator.dispose();
      for (const store of [base, compressing, writing, ...(query ? [query] : [])]) await store.dispose();
    },
  };
}
