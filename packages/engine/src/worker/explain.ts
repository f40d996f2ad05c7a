import { ClaraError } from "@clara/core";
import type { Port, Program } from "../program.ts";
import { evaluate, type Sizes } from "../size.ts";

/** How V8, ONNX Runtime, TensorFlow and WebAssembly say that memory is short. */
const memory = /allocat|bad_alloc|out of memory|\bOOM\b|array (buffer )?length|memory access out of bounds/i;

/** Throws what a failed run threw, with its function; when memory was short, with the sizes that took it. */
export function explain(error: unknown, where: string, { values }: Program, sizes: Sizes): never {
  const reason = error instanceof Error ? error.message : String(error);
  if (!memory.test(reason)) throw new ClaraError("engine", `${where}: ${reason}`, { cause: error });
  const bytes = ({ shape, dtype }: Port): number =>
    shape.reduce<number>((product, size) => product * evaluate(size, sizes), dtype === "bool" ? 1 : 4);
  const largest = values.reduce((a, b) => (bytes(b) > bytes(a) ? b : a));
  const at = Object.entries(sizes).map(([name, size]) => `${name} = ${size}`);
  const shape = largest.shape.map((size) => evaluate(size, sizes)).join(", ");
  throw new ClaraError(
    "engine",
    `${where}: out of memory${at.length > 0 ? ` with ${at.join(", ")}` : ""}; its largest tensor, ` +
      `${largest.dtype} [${shape}], takes ${readable(bytes(largest))}: use smaller batches (${reason})`,
    { cause: error },
  );
}

function readable(bytes: number): string {
  const units = ["bytes", "KiB", "MiB", "GiB", "TiB"];
  const unit = Math.min(units.length - 1, Math.floor(Math.log2(Math.max(1, bytes)) / 10));
  return `${(bytes / 1024 ** unit).toFixed(unit === 0 ? 0 : 1)} ${units[unit]}`;
}
