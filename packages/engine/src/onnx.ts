import { bytes, encode, type Fields, float, int, message, text } from "./onnx/protobuf.ts";

/** Numbers of ONNX's TensorProto.DataType. */
const dataTypes = { float32: 1, int32: 6, int64: 7 } as const;
type DataType = keyof typeof dataTypes;

/** Numbers in bytes above which a constant travels beside the model instead of in it. */
const inlineBytes = 1024;

/** An input or output; a named dimension may differ from run to run. */
export interface Port {
  readonly name: string;
  readonly type: DataType;
  readonly shape: readonly (number | string)[];
}

export interface OnnxModel {
  readonly model: Uint8Array;
  /** Constants that `model` refers to by path. */
  readonly externalData: readonly { readonly path: string; readonly data: Uint8Array }[];
}

type Attributes = Readonly<Record<string, number | { readonly float: number }>>;

/** Collects an ONNX graph. Values are known by their names. */
export interface GraphWriter {
  /** Appends a node with one output, named as asked. @returns that name. */
  node(op: string, inputs: readonly string[], output: string, attributes?: Attributes, domain?: string): string;
  /** Adds a constant. @returns its name. */
  constant(name: string, shape: readonly number[], data: Float32Array | BigInt64Array): string;
  finish(inputs: readonly Port[], outputs: readonly Port[]): OnnxModel;
}

/**
 * Writes ONNX with operator set 20 and ONNX Runtime's own operators (domain "com.microsoft").
 *
 * Field numbers are those of onnx.proto. @see https://github.com/onnx/onnx/blob/main/onnx/onnx.proto
 */
export function createGraphWriter(): GraphWriter {
  const nodes: Fields[] = [];
  const constants: Fields[] = [];
  const externalData: { path: string; data: Uint8Array }[] = [];
  return {
    node(op, inputs, output, attributes = {}, domain = "") {
      const fields = [...inputs.map((name) => text(1, name)), text(2, output), text(3, output), text(4, op)];
      for (const [name, value] of Object.entries(attributes)) fields.push(message(5, ...attribute(name, value)));
      fields.push(text(7, domain));
      nodes.push(message(1, ...fields));
      return output;
    },
    constant(name, shape, data) {
      const raw = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
      const type = data instanceof Float32Array ? "float32" : "int64";
      const fields = [...shape.map((dim) => int(1, dim)), int(2, dataTypes[type]), text(8, name)];
      if (raw.length <= inlineBytes) {
        fields.push(bytes(9, raw));
      } else {
        const place = { location: name, offset: "0", length: String(raw.length) };
        for (const [key, value] of Object.entries(place)) fields.push(message(13, text(1, key), text(2, value)));
        fields.push(int(14, 1)); // data_location: external
        externalData.push({ path: name, data: raw });
      }
      constants.push(message(5, ...fields));
      return name;
    },
    finish(inputs, outputs) {
      const graph = [
        ...nodes,
        text(2, "encoder"),
        ...constants,
        ...inputs.map((port) => message(11, ...portFields(port))),
        ...outputs.map((port) => message(12, ...portFields(port))),
      ];
      const model = encode(
        int(1, 9), // ir_version
        message(7, ...graph),
        message(8, text(1, ""), int(2, 20)),
        message(8, text(1, "com.microsoft"), int(2, 1)),
      );
      return { model, externalData };
    },
  };
}

function attribute(name: string, value: Attributes[string]): Fields[] {
  return typeof value === "number"
    ? [text(1, name), int(3, value), int(20, 2)]
    : [text(1, name), float(2, value.float), int(20, 1)];
}

function portFields({ name, type, shape }: Port): Fields[] {
  const dims = shape.map((dim) => message(1, typeof dim === "string" ? text(2, dim) : int(1, dim)));
  return [text(1, name), message(2, message(1, int(1, dataTypes[type]), message(2, ...dims)))];
}
