import type { DecoderAdapter, DecoderConfig, DecoderParams } from "@clara/model";
import { nestAdapter, nestDecoder } from "@clara/model";
import type { tf } from "@clara/tensor";

/** The roles of the one decoder, with the name that each one's adapter has in a checkpoint of the reference. */
export const adapterNames = {
  compressor: "encoder_adapter",
  generator: "decoder_adapter",
  query: "query_reasoner_adapter",
} as const;

export type Role = keyof typeof adapterNames;

/** What a CLaRa adds to a decoder. */
export interface ClaraShape {
  readonly decoder: DecoderConfig;
  /** `M`, of each document: its longest length divided by the compression rate. */
  readonly memoryTokens: number;
  /** The M memory tokens have consecutive ids from here on. */
  readonly firstMemoryId: number;
  /** alpha / R of all adapters. */
  readonly loraScale: number;
}

/** One frozen decoder and what is trained on it. */
export type ClaraParams = {
  base: DecoderParams;
  adapters: { [Name in Role]?: DecoderAdapter };
  /** [M, D] instead of the table's rows of the memory tokens. */
  memoryRows?: tf.Tensor2D;
};

/**
 * Parameters from tensors by path: the decoder's as they are (`layers.0.attention.query.weight`), an adapter's with its role
 * before them (`compressor.layers.0.attention.query.a`), and `memoryRows`.
 */
export function nestClara(tensors: Readonly<Record<string, tf.Tensor>>, { loraScale }: ClaraShape): ClaraParams {
  const roles = Object.keys(adapterNames) as Role[];
  const own = (name: string): boolean => name === "memoryRows" || roles.some((role) => name.startsWith(`${role}.`));
  const base = Object.fromEntries(Object.entries(tensors).filter(([name]) => !own(name)));
  const adapters = Object.fromEntries(
    roles
      .map((role) => [role, nestAdapter(tensors, loraScale, `${role}.`)] as const)
      .filter(([, adapter]) => Object.keys(adapter).length > 0),
  );
  const { memoryRows } = tensors as { memoryRows?: tf.Tensor2D };
  return { base: nestDecoder(base), adapters, ...(memoryRows && { memoryRows }) };
}
