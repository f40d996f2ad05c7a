/**
 * What went wrong, for programs. The message says it for people: where, what was expected, what was found, what to do.
 *
 * - `shape`, `option`: a caller's mistake in code
 * - `input`: a question, file or record that cannot be used
 * - `config`: a setting that is unknown, of the wrong type or impossible
 * - `weights`: a model file that is damaged, foreign or incomplete
 * - `pack`: a pack that is damaged, foreign or locked
 * - `io`: the file system refused
 * - `engine`: the engine cannot load or has stopped
 * - `unsupported`: asked for something this build does not do
 * - `aborted`: the caller's signal fired
 */
export type ClaraErrorCode =
  | "shape"
  | "option"
  | "input"
  | "config"
  | "weights"
  | "pack"
  | "io"
  | "engine"
  | "unsupported"
  | "aborted";

/** The one error class of Clara. `code` is for programs, `message` for people, `cause` for `--debug`. */
export class ClaraError extends Error {
  readonly code: ClaraErrorCode;

  constructor(code: ClaraErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "ClaraError";
    this.code = code;
  }
}

/** @throws ClaraError "aborted" when the signal has fired; `where` names the function that stopped. */
export function throwIfAborted(signal: AbortSignal | undefined, where: string): void {
  if (signal?.aborted) throw new ClaraError("aborted", `${where}: stopped by the caller`, { cause: signal.reason });
}
