import { builtinModules } from "node:module";
import { posix } from "node:path";
import { describe, expect, it } from "vitest";
import { ARROWS, MAY } from "./support/arrows.ts";
import { files, type Member, members, read } from "./support/repository.ts";
import { sourceUse } from "./support/source.ts";

const all = members();
const short = (name: string) => name.replace(/^@clara\//, "");
const byName = new Map(all.map((member) => [member.name, member]));

// Beside `x.test.ts` stands, at most, `x.testing.ts` or a folder `testing/`: what several tests share.
const sources = all.flatMap((member) =>
  files(`${member.folder}/src`)
    .filter((file) => /\.m?tsx?$/.test(file))
    .map((file) => ({
      member,
      file,
      isTest: /(\.(test|testing)\.ts|\/testing\/[^/]+\.ts)$/.test(file),
      use: sourceUse(read(file), file),
    })),
);

/** Packages that a test file may import beyond its own package's dependencies. */
const ROOT_TOOLS = Object.keys(JSON.parse(read("package.json")).devDependencies);

describe("the packages", () => {
  it("are those of the design", () => {
    expect(all.map(({ name }) => short(name)).filter((name) => !(name in ARROWS))).toEqual([]);
    expect(all.filter(({ name, folder }) => posix.basename(folder) !== short(name))).toEqual([]);
  });

  it("declare only the arrows of the design", () => {
    const wrong = all.flatMap(({ name, manifest }) =>
      ours({ ...manifest.dependencies, ...manifest.optionalDependencies, ...manifest.peerDependencies })
        .filter((other) => !ARROWS[short(name)]?.includes(short(other)))
        .map((other) => `${name} depends on ${other}`),
    );
    expect(wrong).toEqual([]);
  });

  it("have arrows that never lead back", () => {
    const reach = (name: string, path: readonly string[]): string[] =>
      path.includes(name)
        ? [[...path, name].join(" > ")]
        : (ARROWS[name] ?? []).flatMap((to) => reach(to, [...path, name]));
    expect(Object.keys(ARROWS).flatMap((name) => reach(name, []))).toEqual([]);
  });
});

describe("every import", () => {
  it("follows the arrows, tests included", () => {
    const wrong = sources.flatMap(({ member, file, use }) =>
      use.imports
        .filter((module) => module.startsWith("@clara/"))
        .map(packageOf)
        .filter((other) => other !== member.name && !ARROWS[short(member.name)]?.includes(short(other)))
        .map((other) => `${file} imports ${other}`),
    );
    expect(wrong).toEqual([]);
  });

  it("of another package of ours is one of its exports", () => {
    const wrong = sources.flatMap(({ file, use }) =>
      use.imports
        .filter((module) => module.startsWith("@clara/"))
        .filter(
          (module) =>
            !(`.${module.slice(packageOf(module).length)}` in (byName.get(packageOf(module))?.manifest.exports ?? {})),
        )
        .map((module) => `${file} imports ${module}`),
    );
    expect(wrong).toEqual([]);
  });

  it("by path stays inside the package and names a file that exists", () => {
    const existing = new Set(files());
    const wrong = sources.flatMap(({ member, file, use }) =>
      use.imports
        .filter((module) => module.startsWith("."))
        .map((module) => ({ module, path: posix.join(posix.dirname(file), module) }))
        .filter(({ path }) => !path.startsWith(`${member.folder}/`) || !existing.has(path))
        .map(({ module }) => `${file} imports ${module}`),
    );
    expect(wrong).toEqual([]);
  });

  it("from npm is a declared dependency", () => {
    const wrong = sources.flatMap(({ member, file, isTest, use }) =>
      use.imports
        .filter((module) => !module.startsWith(".") && !isBuiltin(module))
        .map(packageOf)
        .filter((name) => name !== member.name && !declared(member, isTest).includes(name))
        .map((name) => `${file} imports ${name}, which ${member.folder}/package.json does not list`),
    );
    expect(wrong).toEqual([]);
  });

  it("of TensorFlow.js is in @clara/tensor", () => {
    const wrong = sources
      .filter(
        ({ member, use }) => member.name !== "@clara/tensor" && use.imports.some((m) => m.startsWith("@tensorflow/")),
      )
      .map(({ file }) => file);
    expect(wrong).toEqual([]);
    const listed = all.filter(({ name, manifest }) => {
      const dependencies = Object.keys({ ...manifest.dependencies, ...manifest.optionalDependencies });
      return name !== "@clara/tensor" && dependencies.some((dependency) => dependency.startsWith("@tensorflow/"));
    });
    expect(listed.map(({ name }) => name)).toEqual([]);
  });

  it("names its module, so that this test can see it", () => {
    const wrong = sources.flatMap(({ file, isTest, use }) =>
      isTest ? [] : use.computed.map((text) => `${file}: ${text}`),
    );
    expect(wrong).toEqual([]);
  });
});

describe("packages neither print nor read the environment, and", () => {
  const code = sources.filter(({ isTest }) => !isTest);
  const offenders = (may: (file: string) => boolean, modules: RegExp, globals: RegExp) =>
    code.flatMap(({ file, use }) =>
      may(file)
        ? []
        : [...use.imports.filter((m) => modules.test(m)), ...use.globals.filter((g) => globals.test(g))].map(
            (what) => `${file} uses ${what}`,
          ),
    );

  it("print nothing", () => {
    expect(
      offenders(MAY.print, /^(node:)?(console|readline|tty)$/, /^(console|process\.(stdout|stderr|stdin))$/),
    ).toEqual([]);
  });

  it("read no environment, no arguments, no working folder, and end no process", () => {
    expect(offenders(MAY.environment, /^(node:)?process$/, /^process\.(env|argv|cwd|chdir|exit)$/)).toEqual([]);
  });

  it("leave files to pack, mini, retrieval back ends and the app", () => {
    expect(offenders(MAY.files, /^(node:)?(fs|fs\/promises|child_process)$/, /^$/)).toEqual([]);
  });

  it("leave the network to retrieval back ends, the remote generator and the app", () => {
    expect(offenders(MAY.network, /^(node:)?(http|https|http2|net|tls|dgram|dns)(\/|$)/, /^fetch$/)).toEqual([]);
  });
});

describe("every file", () => {
  it("has at most 400 lines", () => {
    const long = files()
      .filter((file) => /\.(m?[jt]s|tsx)$/.test(file))
      .map((file) => ({ file, lines: read(file).trimEnd().split("\n").length }))
      .filter(({ lines }) => lines > 400);
    expect(long).toEqual([]);
  });

  it("is free of paths of the machines it was written on", () => {
    const machine =
      /\/work\/(main|shared|notes|\.\w+)|\/tmp\/bash_jobs|\/(home|Users)\/(?!runner\b|node\b|you\b|me\b)[a-z]/;
    const found = files()
      .filter((file) => !/\.(onnx|safetensors|bin|png|pdf|docx|xlsx|gz|zst|ico|woff2)$/.test(file))
      .flatMap((file) =>
        read(file)
          .split("\n")
          .flatMap((line, i) => (machine.test(line) ? [`${file}:${i + 1}: ${machine.exec(line)![0]}`] : [])),
      );
    expect(found).toEqual([]);
  });

  it("below examples imports only packages of ours and Node.js", () => {
    const wrong = files("examples")
      .filter((file) => /^examples\/[^/]+\.ts$/.test(file))
      .flatMap((file) => sourceUse(read(file), file).imports.map((module) => ({ file, module })))
      .filter(({ module }) => !module.startsWith("@clara/") && !module.startsWith("node:"))
      .map(({ file, module }) => `${file} imports ${module}`);
    expect(wrong).toEqual([]);
  });
});

describe("sourceUse", () => {
  it("sees every way to name a module, and nothing in comments or texts", () => {
    const { imports, computed, globals } = sourceUse(`
      import a from "a"; import type { B } from "b"; import "c"; export * from "d"; export type { E } from "e";
      const f = await import("f"); type G = import("g").G; import.meta.resolve("h"); require("i"); require.resolve("j");
      await import(name); // import "x"
      const text = 'import "y"; process.env.HOME';
      globalThis.process.env.HOME; console.log(process.stdout.isTTY); fetch("z"); object.fetch("w");
    `);
    expect(sourceUse("const { env } = process").globals).toEqual(["process.env"]);
    expect(imports).toEqual(["a", "b", "c", "d", "e", "f", "g", "h", "i", "j"]);
    expect(computed).toEqual(["import(name)"]);
    expect([...globals].sort()).toEqual(["console", "fetch", "process.env", "process.stdout"]);
  });
});

function ours(dependencies: Readonly<Record<string, string>>): string[] {
  return Object.keys(dependencies).filter((name) => name.startsWith("@clara/"));
}

function packageOf(module: string): string {
  return module
    .split("/")
    .slice(0, module.startsWith("@") ? 2 : 1)
    .join("/");
}

function isBuiltin(module: string): boolean {
  return module.startsWith("node:") || builtinModules.includes(module);
}

function declared({ manifest }: Member, isTest: boolean): string[] {
  const { dependencies, optionalDependencies, peerDependencies, devDependencies } = manifest;
  const forTests = isTest ? [...Object.keys(devDependencies ?? {}), ...ROOT_TOOLS] : [];
  return [...Object.keys({ ...dependencies, ...optionalDependencies, ...peerDependencies }), ...forTests];
}
