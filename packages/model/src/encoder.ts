/** Padded token sequences; each array is [B, T], row-major. */
export interface TokenBatch {
  readonly ids: Int32Array;
  /** Token types: 0 for the first part of a pair, 1 for the second. */
  readonly types: Int32Array;
  /** 1 for a token, 0 for padding. */
  readonly mask: Int32Array;
  readonly shape: readonly [B: number, T: number];
}

/** A transformer encoder that runs somewhere else: a promise of states for arrays of ids. Its creator calls `dispose`. */
export interface Encoder {
  /** Model width `D`. */
  readonly width: number;
  /**
   * Final states [B, T, D], row-major. Rows of padding mean nothing. Runs queue: one at a time, in order of the calls.
   *
   * @throws ClaraError "shape" when the arrays are not [B, T] or T exceeds the positions, "input" for an id or type
   *   that the model does not have, "aborted" as soon as the signal fires, "engine" when the engine fails or has ended.
   */
  run(batch: TokenBatch, options?: { readonly signal?: AbortSignal | undefined }): Promise<Float32Array>;
  /** Frees its weights in the engine, after the runs that have begun; later ones are refused with ClaraError "engine". */
  dispose(): Promise<void>;
}
