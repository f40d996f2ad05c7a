import type { Weights } from "@clara/core";
import type { Engine, Params } from "@clara/engine";
import { type ClaraTokenizer, compressRows, type DecoderConfig, nestAdapter, nestDecoder } from "@clara/model";
import { tf } from "@clara/tensor";
import type { TextReader } from "./answers.ts";

/** The least that reads texts: one by one, on the engine, without a word about those that it cuts. */
export async function textReader(
  engine: Engine,
  {
    base,
    decoder,
    tokenizer,
    documentTokens,
    compressor,
    query,
  }: {
    readonly base: Params;
    readonly decoder: DecoderConfig;
    readonly tokenizer: ClaraTokenizer;
    readonly documentTokens: number;
    readonly compressor: Weights;
    readonly query?: Weights | undefined;
  },
): Promise<TextReader & { readonly seen: string[] }> {
  const seen: string[] = [];
  const role = async (adapter: Weights) => {
    const compiled = await engine.compile(
      ({ ids }, tensors) => ({
        memory: compressRows(nestDecoder(tensors), ids as tf.Tensor2D, tf.onesLike(ids!) as tf.Tensor2D, {
          ...decoder,
          adapter: nestAdapter(tensors, 2),
          memoryTokens: tokenizer.memoryTokens,
        }).memory,
      }),
      { ids: { shape: ["B", "T"], dtype: "int32" } },
      { params: [base, await engine.params(adapter)], prepack: false },
    );
    return (texts: readonly string[]): Promise<Float32Array[]> =>
      Promise.all(
        texts.map(async (text) => {
          seen.push(text);
          const ids = tokenizer.row(text, documentTokens);
          const { memory } = await compiled.run({ ids: { data: Int32Array.from(ids), shape: [1, ids.length] } });
          return memory!.data as Float32Array;
        }),
      );
  };
  const compressing = await role(compressor);
  const querying = query && (await role(query));
  const cut = (texts: readonly string[]) =>
    texts.flatMap((text, i) => (text.startsWith("long") ? [{ text: i, lostTokens: 3 }] : []));
  return {
    seen,
    compress: async (texts) => {
      return { memories: (await compressing(texts)).map((vectors) => ({ vectors })), cut: cut(texts) };
    },
    query: async (texts) => ({ queries: await querying!(texts), cut: cut(texts) }),
  };
}
