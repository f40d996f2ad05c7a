import { type OnnxAttribute, type OnnxType, onnxTypes } from "../kernels/kernel.ts";
import type { Size } from "../size.ts";
import { bytes, encode, type Fields, float, int, message, text } from "./protobuf.ts";

/** An input or output of a graph; a size that depends on named dimensions is free. */
export interface GraphPort {
  readonly name: string;
  readonly type: OnnxType;
  readonly shape: readonly Size[];
}

/** Where an initializer's bytes are: in the model, beside it in memory, or in a file that ONNX Runtime maps. */
export type Place =
  | { readonly kind: "model" | "memory"; readonly data: Uint8Array }
  | { readonly kind: "file"; readonly location: string; readonly offset: number; readonly length: number };

export interface Initializer {
  readonly name: string;
  readonly type: OnnxType;
  readonly shape: readonly number[];
  readonly place: Place;
}

export interface Node {
  readonly op: string;
  readonly domain: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes: Readonly<Record<string, OnnxAttribute>>;
}

export interface OnnxModel {
  readonly model: Uint8Array;
  /** Initializers that `model` refers to by path. */
  readonly externalData: readonly { readonly path: string; readonly data: Uint8Array }[];
}

/**
 * Writes a graph as ONNX with operator set 20 and ONNX Runtime's own operators (domain "com.microsoft").
 *
 * Field numbers are those of onnx.proto. @see https://github.com/onnx/onnx/blob/main/onnx/onnx.proto
 */
export function writeModel(graph: {
  readonly nodes: readonly Node[];
  readonly initializers: readonly Initializer[];
  readonly inputs: readonly GraphPort[];
  readonly outputs: readonly GraphPort[];
}): OnnxModel {
  // ONNX Runtime looks for all of it in memory as soon as some of it is there: beside files nothing may be.
  const mapped = graph.initializers.some(({ place }) => place.kind === "file");
  const initializers = graph.initializers.map((initializer): Initializer => {
    const { place } = initializer;
    return mapped && place.kind === "memory" ? { ...initializer, place: { ...place, kind: "model" } } : initializer;
  });
  const externalData = initializers.flatMap(({ name, place }) =>
    place.kind === "memory" ? [{ path: name, data: place.data }] : [],
  );
  const fields = [
    ...graph.nodes.map((node) => message(1, ...nodeFields(node))),
    text(2, "clara"),
    ...initializers.map((initializer) => message(5, ...initializerFields(initializer))),
    ...graph.inputs.map((port) => message(11, ...portFields(port))),
    ...graph.outputs.map((port) => message(12, ...portFields(port))),
  ];
  const model = encode(
    int(1, 9), // ir_version
    message(7, ...fields),
    message(8, text(1, ""), int(2, 20)),
    message(8, text(1, "com.microsoft"), int(2, 1)),
  );
  return { model, externalData };
}

function nodeFields({ op, domain, inputs, outputs, attributes }: Node): Fields[] {
  return [
    ...inputs.map((name) => text(1, name)),
    ...outputs.map((name) => text(2, name)),
    text(3, outputs[0]!),
    text(4, op),
    ...Object.entries(attributes).map(([name, value]) => message(5, ...attributeFields(name, value))),
    text(7, domain),
  ];
}

function attributeFields(name: string, value: OnnxAttribute): Fields[] {
  if (typeof value === "number") return [text(1, name), int(3, value), int(20, 2)];
  if (typeof value === "string") return [text(1, name), text(4, value), int(20, 3)];
  if ("float" in value) return [text(1, name), float(2, value.float), int(20, 1)];
  return [text(1, name), ...value.map((one) => int(8, one)), int(20, 7)];
}

function initializerFields({ name, type, shape, place }: Initializer): Fields[] {
  const fields = [...shape.map((size) => int(1, size)), int(2, onnxTypes[type]), text(8, name)];
  if (place.kind === "model") return [...fields, bytes(9, place.data)];
  const at =
    place.kind === "file"
      ? { location: place.location, offset: String(place.offset), length: String(place.length) }
      : { location: name, offset: "0", length: String(place.data.length) };
  for (const [key, value] of Object.entries(at)) fields.push(message(13, text(1, key), text(2, value)));
  return [...fields, int(14, 1)]; // data_location: external
}

function portFields({ name, type, shape }: GraphPort): Fields[] {
  const dims = shape.map((size) => message(1, typeof size === "number" ? int(1, size) : text(2, JSON.stringify(size))));
  return [text(1, name), message(2, message(1, int(1, onnxTypes[type]), message(2, ...dims)))];
}
