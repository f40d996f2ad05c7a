/**
 * Bytes that are read in pieces: a file that stays on the disk, so that a checkpoint takes the memory of its largest
 * tensor, not its own.
 */
export interface ByteSource {
  readonly size: number;
  /** `length` bytes from `offset` on; both lie within `size`. They may be a view: they are not to be changed. */
  read(offset: number, length: number): Uint8Array;
}

/** Bytes in memory; what is read of them are views. */
export function sourceOf(bytes: Uint8Array): ByteSource {
  return { size: bytes.length, read: (offset, length) => bytes.subarray(offset, offset + length) };
}
