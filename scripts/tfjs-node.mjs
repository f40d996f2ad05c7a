// CI beside .ci/run: builds tfjs-node from a PyPI wheel, as `rag-master engine install` does, and runs a command with it:
//   node scripts/tfjs-node.mjs                                   builds, and prints NAME=value for the variables below
//   node scripts/tfjs-node.mjs vitest run packages/engine        builds, and runs that with
//     CLARA_TFJS_ADDON  the native addon
//     CLARA_TFJS_NODE   the folder of @tensorflow/tfjs-node
// Everything is kept below node_modules/.cache/clara: the second run is quick. What cannot be had skips the job, in one
// line, with exit code 0; what was had and does not build or work fails it.
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { environment, launch, ownNode, root, setup } from "./setup.mjs";

const tensorflow = process.env.CLARA_TENSORFLOW ?? "2.18.1";
const tfjsNode = "4.22.0";
const nodeApiHeaders = "1.9.0";
const sources = "--conditions=@clara/source";

// The sources are enough: no build. Tests that need one make it.
if (!existsSync(join(root, "node_modules", ".clara", "install"))) setup();
if (!process.execArgv.includes(sources)) {
  // Again, on the repository's own Node.js, which reads the TypeScript sources.
  process.exit(launch(ownNode(), [sources, import.meta.filename, ...process.argv.slice(2)]));
}

const cache = join(root, "node_modules", ".cache", "clara");
const wheels = join(cache, "wheels");
const home = join(cache, "tfjs-node");
const addonPackage = join(home, "node_modules", "@tensorflow", "tfjs-node");
const headers = join(home, "node_modules", "node-api-headers");

if (process.platform !== "linux" || process.arch !== "x64")
  skip(`no wheel is tried on ${process.platform}-${process.arch}`);
if (!runs("g++", ["--version"])) skip("there is no compiler g++");
const wheel = wheelFile() ?? download();
if (!existsSync(join(addonPackage, "binding")) || !existsSync(join(headers, "include"))) {
  mkdirSync(home, { recursive: true });
  const packages = [`@tensorflow/tfjs-node@${tfjsNode}`, `node-api-headers@${nodeApiHeaders}`];
  const flags = ["--ignore-scripts", "--save-exact", "--no-audit", "--no-fund", "--loglevel=error"];
  // Apart from the workspace: nothing there depends on it.
  if (!runs("npm", ["install", "--prefix", home, ...flags, ...packages]))
    skip("npm cannot install @tensorflow/tfjs-node");
}

const { installTfjsNode } = await import("../apps/rag-master/src/engine-install/install-tfjs-node.ts");
const built = await installTfjsNode({
  wheels: [wheel],
  addonPackage,
  headers,
  cache,
  onStep: (text) => process.stderr.write(`tfjs-node: ${text}\n`),
}).catch((error) => {
  process.stderr.write(`error: ${error.message}\n`);
  process.exit(1);
});
process.stderr.write(
  `tfjs-node: TensorFlow ${built.tensorflow} ${built.reused ? "was there" : "is built"} for Node.js ${process.versions.node}\n`,
);

const variables = { CLARA_TFJS_ADDON: built.addon, CLARA_TFJS_NODE: built.packageFolder };
const [program, ...args] = process.argv.slice(2);
if (program === undefined) {
  for (const [name, value] of Object.entries(variables)) console.log(`${name}=${value}`);
} else {
  const local = join(root, "node_modules", ".bin", program);
  process.exitCode = launch(existsSync(local) ? local : program, args, variables);
}

function wheelFile() {
  const name = `tensorflow_cpu-${tensorflow}-`;
  const file = existsSync(wheels) && readdirSync(wheels).find((f) => f.startsWith(name) && f.endsWith(".whl"));
  return file ? join(wheels, file) : undefined;
}

/** 230 MB, once. pip writes the file when it has all of it. */
function download() {
  const platforms = ["manylinux_2_17_x86_64", "manylinux2014_x86_64"].flatMap((name) => ["--platform", name]);
  const python = ["--python-version", "3.11", "--implementation", "cp"];
  const args = ["download", "--quiet", "--no-deps", "--only-binary=:all:", ...python, ...platforms];
  const pip = ["pip", "pip3"].find((name) => runs(name, ["--version"]));
  if (!pip) skip("there is no pip to get a TensorFlow wheel with");
  process.stderr.write(`tfjs-node: downloading tensorflow-cpu ${tensorflow}\n`);
  if (!runs(pip, [...args, "--dest", wheels, `tensorflow-cpu==${tensorflow}`]))
    skip("pip cannot get the TensorFlow wheel");
  return wheelFile() ?? skip("pip got no TensorFlow wheel");
}

function runs(command, args) {
  return spawnSync(command, args, { cwd: root, stdio: "ignore", env: environment() }).status === 0;
}

function skip(reason) {
  console.log(`tfjs-node: skipped: ${reason}`);
  process.exit(0);
}
