import { existsSync } from "node:fs";
import { basename, join, posix } from "node:path";
import { describe, expect, it } from "vitest";
import { anchors, blocks, links } from "./support/markdown.ts";
import { files, members, ROOT, read } from "./support/repository.ts";

const pages = files().filter((file) => file.endsWith(".md"));
const examples = files("examples").filter((file) => /^examples\/.+\.ts$/.test(file));
const exampleOf = new Map(examples.map((file) => [read(file).trimEnd(), file]));

/** Blocks that a reader would copy: they are examples, and examples are run. */
const codeOf = (page: string) => blocks(read(page)).filter(({ language }) => /^(ts|typescript|mts)$/.test(language));

describe("every page", () => {
  it("links to what exists, anchors included", () => {
    const broken = pages.flatMap((page) =>
      links(read(page)).flatMap(({ target, line }) => {
        const wrong = brokenLink(page, target);
        return wrong ? [`${page}:${line}: ${target}: ${wrong}`] : [];
      }),
    );
    expect(broken).toEqual([]);
  });

  it("has only code that is a file in examples/, word for word", () => {
    const strange = pages.flatMap((page) =>
      codeOf(page)
        .filter(({ text }) => !exampleOf.has(text.trimEnd()))
        .map(({ line, text }) => `${page}:${line}: ${nearest(text)}`),
    );
    expect(strange).toEqual([]);
  });
});

describe("every package", () => {
  it("has a README", () => {
    const without = members().filter(({ folder }) => !existsSync(join(ROOT, folder, "README.md")));
    expect(without.map(({ folder }) => folder)).toEqual([]);
  });

  it("shows in its README a runnable example that imports it", () => {
    const without = members()
      .filter(({ folder }) => folder.startsWith("packages/") && folder !== "packages/mini")
      .filter(({ name, folder }) => {
        const page = `${folder}/README.md`;
        return !existsSync(join(ROOT, page)) || !codeOf(page).some(({ text }) => text.includes(`"${name}`));
      });
    expect(without.map(({ folder }) => folder)).toEqual([]);
  });
});

describe("the Markdown reader", () => {
  it("finds links outside code, and the anchors of headings", () => {
    const text = `# Two words, [linked](a.md)!
[one](b.md#x "title") and ![image](<c.png>) but not \`[code](d.md)\`
\`\`\`ts
[fenced](e.md)
# not a heading
\`\`\`
[ref]: f.md
<a href="g.md" id="here">x</a> <!-- [hidden](h.md) -->
## Two words, linked
## \`npm test\`: what it's for
`;
    expect(links(text).map(({ target, line }) => `${line} ${target}`)).toEqual([
      "1 a.md",
      "2 b.md#x",
      "2 c.png",
      "7 f.md",
      "8 g.md",
    ]);
    expect([...anchors(text)]).toEqual(["two-words-linked", "here", "two-words-linked-1", "npm-test-what-its-for"]);
    expect(blocks(text)).toEqual([{ language: "ts", line: 4, text: "[fenced](e.md)\n# not a heading" }]);
  });
});

/** What is wrong with a link, undefined when nothing is. Links to other sites are not followed. */
function brokenLink(page: string, target: string): string | undefined {
  if (/^[a-z][a-z0-9+.-]*:|^\/\//i.test(target)) return undefined;
  const [path = "", anchor] = decodeURIComponent(target).split("#");
  if (path.startsWith("/")) return "is absolute; write it relative to the page";
  const file = path === "" ? page : posix.join(posix.dirname(page), path);
  if (file.startsWith("../") || file === "..") return "is outside the repository";
  if (!existsSync(join(ROOT, file))) return "there is no such file";
  if (anchor === undefined || !file.endsWith(".md")) return undefined;
  return anchors(read(file)).has(anchor) ? undefined : `${file} has no heading with this anchor`;
}

/** Which example a block was probably meant to be, and where they part. */
function nearest(text: string): string {
  const lines = text.trimEnd().split("\n");
  const shared = (file: string) =>
    new Set(
      read(file)
        .split("\n")
        .filter((line) => line && lines.includes(line)),
    ).size;
  const best = examples.toSorted((a, b) => shared(b) - shared(a))[0];
  if (!best || shared(best) === 0) return "is no file in examples/";
  const theirs = read(best).trimEnd().split("\n");
  const i = theirs.findIndex((line, at) => line !== lines[at]);
  const at = i < 0 ? theirs.length : i;
  return `differs from ${basename(best)} at its line ${at + 1}: ${lines[at] ?? "(ends)"} | ${theirs[at] ?? "(ends)"}`;
}
