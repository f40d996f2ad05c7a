import { writeFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { loadRecipe } from "./load-recipe.ts";

let folder = "";
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "clara-recipes-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const optimizer = '{ learningRate: 1, schedule: "linear", warmupSteps: 0, weightDecay: 0, clipNorm: 1 }';
const fields = (name: string): string =>
  `name: "${name}", stage: "instruction", about: "a", steps: 1, seed: 1, optimizer: ${optimizer}, data: {}`;
const write = (file: string, code: string): string => {
  writeFileSync(join(folder, file), code);
  return join(folder, file);
};
const refused = (file: string, message: RegExp): void => {
  expect(() => loadRecipe(file, folder)).toThrow(expect.objectContaining({ message: expect.stringMatching(message) }));
};

describe("loadRecipe", () => {
  it("takes a path, or a name in the folder; TypeScript and JavaScript", () => {
    const typed = write(
      "typed.ts",
      `const steps: number = 1;\nexport default { ${fields("typed")}, async build() {} } as const;`,
    );
    const plain = write("plain.js", `export default { ${fields("plain")}, build: async () => {} };`);
    expect(loadRecipe(typed, undefined)).toMatchObject({ recipe: { name: "typed" }, file: typed });
    expect(loadRecipe("plain", folder)).toMatchObject({ recipe: { name: "plain" }, file: plain });
    expect(loadRecipe("typed", folder).sha256).toMatch(/^[0-9a-f]{64}$/);
  });

  it("lists the recipes that there are when there is none of a name", () => {
    write("known.ts", "");
    refused("knwon", /there is no recipe "knwon"; give a path to a \.ts or \.js file, or one of .*known/);
    refused("./nowhere.ts", /\.\/nowhere\.ts: no such file; a recipe is a \.ts or \.js file, or one of/);
    refused(`${folder}/`, /no such file/);
    expect(() => loadRecipe("reader", undefined)).toThrow(/where the repository's recipes are beside the app/);
  });

  it("says where a mistake is", () => {
    refused(
      write("syntax.ts", "const a = 1;\nexport default { name: };\n"),
      /syntax\.ts: cannot be loaded.*(Syntax|Expression)/,
    );
    refused(
      write("throws.ts", 'const a = 1;\nthrow new TypeError("not today");'),
      /throws\.ts: cannot be loaded \(line 2\): TypeError: not today/,
    );
    refused(write("strange.ts", 'throw "a text";'), /cannot be loaded: it throws a text/);
    refused(write("missing.ts", 'import "./not-there.ts";'), /missing\.ts: cannot be loaded.*not-there/);
    refused(
      write("awaits.ts", "export default await Promise.resolve(1);"),
      /awaits something at its top level; do that in build/,
    );
    refused(write("empty.ts", "export const a = 1;"), /empty\.ts: .*is no field of a recipe|must be/);
  });

  it("wants the file's name, by which checkpoints are told apart", () => {
    const file = write("mine.ts", `export default { ${fields("other")}, build() {} };`);
    refused(file, /mine\.ts: name must be that of its file, "mine", found "other"/);
  });
});
