import { readTorchFile, type TorchTensor } from "@clara/model";
import { readReferenceCheckpoint, writeReferenceCheckpoint } from "@clara/train";
import { explained } from "../../import/stored-decoder.ts";
import type { Checks } from "../check.ts";
import { largest, mismatches } from "../compare.ts";
import type { Group } from "../group.ts";
import type { Session } from "../session.ts";
import { EXACT, STORED } from "../tolerances.ts";

interface Listed {
  readonly adapters: Readonly<Record<string, Readonly<Record<string, { shape: number[]; dtype: string }>>>>;
  readonly first_last: Readonly<Record<string, readonly number[]>>;
  readonly sum_and_absmax: Readonly<Record<string, readonly [number, number]>>;
}

const dtypes: Readonly<Record<TorchTensor["dtype"], string>> = {
  F32: "torch.float32",
  F16: "torch.float16",
  BF16: "torch.bfloat16",
};

/** Checkpoint folders: every tensor as it is listed, and the same after loading, saving and loading again. */
export const checkpoints: Group = {
  name: "checkpoints",
  async run(session, checks) {
    const { folder } = session;
    const there = folder.foldersWith("checkpoints", "adapters.pth");
    if (there.length === 0 && !folder.has("checkpoints.json")) {
      return checks.skip("checkpoints", "needs checkpoints.json or folders in checkpoints/");
    }
    let listed: Readonly<Record<string, Listed>> = {};
    await checks.attempt("checkpoints.json", () => {
      listed = folder.json("checkpoints.json");
    });
    for (const path of new Set([...Object.keys(listed), ...there])) {
      const entry = listed[path];
      if (entry) await checks.attempt(`${path}/tensors`, () => compareTensors(path, entry, session, checks));
      await checks.attempt(`${path}/again`, () => saveAndLoad(path, session, checks));
    }
  },
};

function read(path: string, session: Session): Record<string, TorchTensor> {
  const bytes = session.folder.bytes(path);
  return explained(path, () => readTorchFile(bytes));
}

/** Names, shapes, types, sums and largest values of both files. */
function compareTensors(path: string, entry: Listed, session: Session, checks: Checks): void {
  const adapters = read(`${path}/adapters.pth`, session);
  const tables = read(`${path}/decoder_first_last_layers.pth`, session);
  const expected = Object.entries(entry.adapters).flatMap(([adapter, tensors]) =>
    Object.entries(tensors).map(([name, { shape, dtype }]) => [`${adapter}/${name}`, { shape, dtype }]),
  );
  const found = Object.entries(adapters).map(([name, { shape, dtype }]) => [name, { shape, dtype: dtypes[dtype] }]);
  checks.same(`${path}/adapters.pth`, Object.fromEntries(found), Object.fromEntries(expected));
  const shapes = Object.entries(tables).map(([name, { shape }]) => [name, shape]);
  checks.same(`${path}/decoder_first_last_layers.pth`, Object.fromEntries(shapes), entry.first_last);
  const all = {
    ...adapters,
    ...Object.fromEntries(Object.entries(tables).map(([name, tensor]) => [`first_last/${name}`, tensor])),
  };
  const names = Object.keys(entry.sum_and_absmax);
  for (const [what, of] of [
    ["sums", ({ data }: TorchTensor) => data.reduce((sum, value) => sum + value, 0)],
    ["absmax", largest],
  ] as const) {
    const parts = names.map((name) => {
      const tensor = all[name];
      const size = tensor?.data.reduce((sum, value) => sum + Math.abs(value), 0) || 1;
      const recorded = entry.sum_and_absmax[name]![what === "sums" ? 0 : 1];
      return { what: name, error: tensor ? Math.abs(of(tensor) - recorded) / size : Number.NaN };
    });
    checks.worst(`${path}/${what}`, parts, STORED);
  }
}

function saveAndLoad(path: string, session: Session, checks: Checks): void {
  const first = session.reference(path);
  const files = writeReferenceCheckpoint(first, { base: "base" });
  const again = readReferenceCheckpoint({
    config: JSON.parse(new TextDecoder().decode(files["config.json"])),
    adapters: files["adapters.pth"],
    tables: files["decoder_first_last_layers.pth"],
  });
  const tensors = ({ adapters, tables }: typeof first) => ({ ...adapters, tables });
  checks.same(`${path}/again/config`, again.config, first.config);
  checks.same(`${path}/again/tensors`, digest(tensors(again)), digest(tensors(first)));
  // Copies of the tables, that the reference adds to some adapters, are not written again.
  const theirs = Object.entries(read(`${path}/adapters.pth`, session)).filter(([name]) => name.includes(".lora_"));
  const ours = Object.entries(readTorchFile(files["adapters.pth"]));
  const { count, first: what } = mismatches(
    digest({ all: Object.fromEntries(ours) }),
    digest({ all: Object.fromEntries(theirs) }),
  );
  checks.worst(`${path}/again/adapters.pth`, [{ what, error: count }], EXACT);
}

type Tensors = Readonly<
  Record<string, { readonly shape: readonly number[]; readonly data: Float32Array; readonly dtype?: string }>
>;

/** Tensors as values that can be compared: their bits as text. */
function digest(parts: Readonly<Record<string, Tensors | undefined>>): object {
  const text = ({ shape, data, dtype }: Tensors[string]): string =>
    `${dtype} [${shape}] ${Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString("base64")}`;
  return Object.fromEntries(
    Object.entries(parts).map(([part, tensors = {}]) => [
      part,
      Object.fromEntries(Object.entries(tensors).map(([name, tensor]) => [name, text(tensor)])),
    ]),
  );
}
