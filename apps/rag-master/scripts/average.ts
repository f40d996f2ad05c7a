// The mean of one part of two or more models, as a model: runs that end in different places of one valley are better in the middle
// (Izmailov et al. 2018, https://arxiv.org/abs/1803.05407). Everything else is the first folder's. By hand:
//   node --conditions=@clara/source apps/rag-master/scripts/average.ts --out FOLDER [--part reader.] FOLDER FOLDER…
import { basename } from "node:path";
import { parseArgs } from "node:util";
import { quantizeWeights, readSafetensors, readWeights, writeSafetensors } from "@clara/model";
import { readModelFolder, writeModelFolder } from "../src/model-folder.ts";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { out: { type: "string" }, part: { type: "string", default: "reader." } },
});
const { out, part } = values;
if (out === undefined || positionals.length < 2) {
  console.error("usage: average.ts --out FOLDER [--part reader.] FOLDER FOLDER…");
  process.exit(2);
}

const folders = await Promise.all(positionals.map(readModelFolder));
const parts = folders.map(({ weights }) => readWeights(weights, { only: [part] }));
const mean = Object.fromEntries(
  Object.entries(parts[0]!).map(([name, { shape, data }]) => {
    const all = parts.map((of) => {
      if (of[name]?.data.length !== data.length) throw new Error(`not all models have "${name}" [${shape.join(", ")}]`);
      return of[name].data;
    });
    return [name, { shape, data: data.map((_, i) => all.reduce((sum, x) => sum + x[i]!, 0) / all.length) }];
  }),
);
const { config, weights, tokenizer } = folders[0]!;
const kept = Object.entries(readSafetensors(weights).tensors).filter(([name]) => !name.startsWith(part));
const tensors = { ...Object.fromEntries(kept), ...quantizeWeights(mean) };
const name = basename(out);
const { id } = await writeModelFolder(out, {
  name,
  config,
  weights: writeSafetensors(tensors, { model: name }),
  tokenizer,
});
console.log(`${out} (${id}): the mean of ${folders.length} × ${Object.keys(mean).length} tensors of ${part}`);
