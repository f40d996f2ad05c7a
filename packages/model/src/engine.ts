import type { Weights } from "@clara/core";
import type { tf } from "@clara/tensor";

/** Parameters that live in an engine. */
export interface EngineParams {
  dispose(): Promise<void>;
}

/**
 * The little that an encoder needs of an engine: it keeps parameters, and compiles a function over them. The engines of
 * `@clara/engine` fit; this package does not depend on it.
 */
export interface EncoderEngine<Params extends EngineParams> {
  params(arrays: Weights, options?: { readonly transfer?: boolean }): Promise<Params>;
  compile(
    fn: (inputs: Record<string, tf.Tensor>, params: Record<string, tf.Tensor>) => Record<string, tf.Tensor>,
    specs: Readonly<Record<string, { readonly shape: readonly string[]; readonly dtype: "int32" }>>,
    /**
     * `key` says what is compiled: an engine that keeps what it has compiled finds it by its key. `prepack: false` asks for
     * one copy of the parameters, whatever is compiled over them; "packed" for that and copies of those in 4 and 8 bits.
     * `leastSizes`: sizes of `specs` below which the function has no meaning.
     */
    options: {
      readonly params: readonly Params[];
      readonly key: string;
      readonly prepack?: boolean | "packed";
      readonly leastSizes?: Readonly<Record<string, number>>;
    },
  ): Promise<CompiledEncoder>;
}

/** A function from arrays to arrays, by name. */
export interface CompiledEncoder {
  run(
    inputs: Readonly<Record<string, { readonly data: Int32Array; readonly shape: readonly number[] }>>,
    options?: { readonly signal?: AbortSignal | undefined },
  ): Promise<Readonly<Record<string, { readonly data: ArrayLike<number> }>>>;
  dispose(): Promise<void>;
}
