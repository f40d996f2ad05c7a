import { setImmediate } from "node:timers/promises";
import { ClaraError, throwIfAborted } from "@clara/core";
import type { FloatTensor } from "./float-tensor.ts";
import { numbersOf } from "./pieces.ts";

/** Numbers that are compared at once. */
const most = 2 ** 20;

/**
 * Whether a checkpoint's table begins with the rows of the base's: they were frozen in training, so that another base shows here.
 *
 * @param rows how many rows the base shares with it
 * @throws ClaraError "weights" when they differ by more than rounding to the coarser of their types, "aborted".
 */
export async function checkTable(
  table: FloatTensor,
  base: FloatTensor,
  rows: number,
  signal?: AbortSignal,
): Promise<void> {
  const D = table.shape[1]!;
  const relative = roundingBetween(table.dtype, base.dtype);
  const [mine, theirs] = [table.open(), base.open()];
  const step = Math.max(1, Math.floor(most / D));
  let differing = 0;
  let first = -1;
  let largest = 0;
  for (let from = 0; from < rows; from += step) {
    throwIfAborted(signal, "import");
    await setImmediate();
    const end = Math.min(rows, from + step);
    const a = numbersOf(table, mine, from * D, end * D);
    const b = numbersOf(base, theirs, from * D, end * D);
    for (let row = from; row < end; row++) {
      let differs = false;
      for (let i = (row - from) * D; i < (row - from + 1) * D; i++) {
        const difference = Math.abs(a[i]! - b[i]!);
        if (difference <= relative * Math.abs(b[i]!) + (relative > 0 ? 2 ** -24 : 0)) continue;
        differs = true;
        largest = Math.max(largest, difference);
      }
      if (differs && first < 0) first = row;
      if (differs) differing++;
    }
  }
  if (differing === 0) return;
  throw new ClaraError(
    "weights",
    `${table.where}: ${differing} of the ${rows} rows that it should share with the base differ from ${base.where} ` +
      `(row ${first} first, by up to ${largest.toPrecision(2)}): the adapters were made for another base model`,
  );
}

/** Largest relative difference that storing one number in both types can make. */
function roundingBetween(a: FloatTensor["dtype"], b: FloatTensor["dtype"]): number {
  if (a === b) return 0;
  return a === "BF16" || b === "BF16" ? 2 ** -8 : 2 ** -10;
}
