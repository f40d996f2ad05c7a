/** A stream to write to; `process.stdout` and `process.stderr` are two. */
export interface Output {
  write(text: string): unknown;
  /** @default false */
  readonly isTTY?: boolean | undefined;
  /** Characters in a line. @default 80 */
  readonly columns?: number | undefined;
}
