import { existsSync } from "node:fs";
import type { Precision } from "../../apps/rag-master/src/import/plan.ts";
import { type Peer, startPeer } from "../engine/harness.ts";
import type { ModelName } from "./models.ts";

/** A way to run a model. */
export interface Way {
  readonly name: string;
  /** Of the imported folder. */
  readonly precision: Precision;
  readonly program: "ours" | "PyTorch";
  /** What is sent with `open`. */
  readonly options?: Readonly<Record<string, unknown>>;
  /** @default all */
  readonly models?: readonly ModelName[];
}

/** The first is what the others are compared with. */
const ways: readonly Way[] = [
  { name: "float32", precision: "float32", program: "ours" },
  { name: "float32, left in the file", precision: "float32", program: "ours", options: { prepack: false } },
  { name: "int8", precision: "int8", program: "ours" },
  {
    name: "int8, `roundInputs: false`",
    precision: "int8",
    program: "ours",
    options: { roundInputs: false },
    models: ["tiny", "0.13B"], // where a token takes a second, it would take most of the time
  },
  { name: "int4", precision: "int4", program: "ours" },
  { name: "int4, `roundInputs: false`", precision: "int4", program: "ours", options: { roundInputs: false } },
  {
    name: "int4, the words as head",
    precision: "int4",
    program: "ours",
    options: { wholeHead: true },
    models: ["tiny", "0.5B"], // the others have a head of their own
  },
  { name: "PyTorch, float32", precision: "float32", program: "PyTorch", options: { dtype: "float32" } },
  { name: "PyTorch, bfloat16", precision: "float32", program: "PyTorch", options: { dtype: "bfloat16" } },
];

const python = new URL("../engine/.peers/venv/bin/python", import.meta.url).pathname;
const missing = existsSync(python) ? undefined : "needs PyTorch: run benchmarks/engine/peers/setup.sh";

/** The ways of a model, and those that are left out on this machine, each with the reason. */
export function waysOf(model: ModelName): { readonly ways: readonly Way[]; readonly skipped: Record<string, string> } {
  const own = ways.filter(({ models }) => models?.includes(model) ?? true);
  const left = own.filter(({ program }) => program === "PyTorch" && missing !== undefined);
  return {
    ways: own.filter((way) => !left.includes(way)),
    skipped: Object.fromEntries(left.map(({ name }) => [name, missing!])),
  };
}

export function startWay({ program }: Way): Peer {
  const script = (name: string): string => new URL(name, import.meta.url).pathname;
  if (program === "PyTorch") return startPeer([python, script("peer.py")]);
  return startPeer([process.execPath, "--conditions=@clara/source", script("side.ts")]);
}
