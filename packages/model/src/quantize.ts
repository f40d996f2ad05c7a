import { ClaraError } from "@clara/core";

/** A matrix as bytes: row `r` of the original is about `values[r] * scales[r]`. */
export type QuantizedRows = { readonly values: Int8Array<ArrayBuffer>; readonly scales: Float32Array<ArrayBuffer> };

/**
 * Quantises a matrix to int8 with one scale per row, symmetric, rounding to the nearest. An error is at most half a
 * scale, and a row's scale is its largest magnitude divided by 127.
 *
 * @param data [R, C], row-major, as the checkpoint stores it
 * @param shape `[R, C]`
 * @returns values [R, C] in -127 … 127, scales [R]
 * @throws ClaraError "shape" when `data` is no `[R, C]` matrix; "weights" when it holds NaN or infinity.
 */
export function quantizeRows(data: Float32Array, shape: readonly number[]): QuantizedRows {
  const { rows, columns } = matrix("quantizeRows", data, shape);
  const values = new Int8Array(data.length);
  const scales = new Float32Array(rows);
  for (let r = 0; r < rows; r++) {
    const start = r * columns;
    let largest = 0;
    for (let i = start; i < start + columns; i++) {
      const magnitude = Math.abs(data[i]!);
      // Written so that NaN, which compares as false, is caught too.
      if (!(magnitude < Number.POSITIVE_INFINITY)) {
        throw new ClaraError(
          "weights",
          `quantizeRows: row ${r}, column ${i - start} is ${data[i]}; weights must be finite`,
        );
      }
      if (magnitude > largest) largest = magnitude;
    }
    scales[r] = largest / 127;
    const scale = scales[r]!; // as float32, the number that the reader multiplies with
    if (scale === 0) continue;
    for (let i = start; i < start + columns; i++) {
      values[i] = Math.max(-127, Math.min(127, Math.round(data[i]! / scale)));
    }
  }
  return { values, scales };
}

/**
 * The float32 matrix that `quantizeRows` stands for.
 *
 * @param shape `[R, C]`
 * @returns [R, C], row-major
 * @throws ClaraError "shape" when values or scales do not have that shape.
 */
export function dequantizeRows({ values, scales }: QuantizedRows, shape: readonly number[]): Float32Array<ArrayBuffer> {
  const { rows, columns } = matrix("dequantizeRows", values, shape);
  if (scales.length !== rows) {
    throw new ClaraError("shape", `dequantizeRows: needs one scale for each of ${rows} rows, got ${scales.length}`);
  }
  const out = new Float32Array(values.length);
  for (let r = 0, i = 0; r < rows; r++) {
    const scale = scales[r]!;
    for (const end = i + columns; i < end; i++) out[i] = values[i]! * scale;
  }
  return out;
}

function matrix(where: string, data: { length: number }, shape: readonly number[]): { rows: number; columns: number } {
  const [rows, columns] = shape;
  if (shape.length !== 2 || rows === undefined || columns === undefined || rows * columns !== data.length) {
    throw new ClaraError(
      "shape",
      `${where}: needs a matrix [rows, columns], got ${data.length} numbers as [${shape.join(", ")}]`,
    );
  }
  return { rows, columns };
}
