import ts from "typescript";

/** What a source file takes from outside itself. */
export interface SourceUse {
  /** Module names of every static, dynamic and type import, re-export, `require` and `….resolve`. */
  readonly imports: readonly string[];
  /** Dynamic imports whose module is computed, as text. */
  readonly computed: readonly string[];
  /** Globals of the machine that are used: `console`, `process.env`, `process.stdout`, `fetch`, … */
  readonly globals: readonly string[];
}

/** Reads a TypeScript file's syntax tree; comments and texts do not count. */
export function sourceUse(text: string, name = "source.ts"): SourceUse {
  const file = ts.createSourceFile(name, text, ts.ScriptTarget.Latest, true);
  const imports = new Set<string>();
  const computed = new Set<string>();
  const globals = new Set<string>();
  const add = (node: ts.Node | undefined, from: ts.Node) => {
    if (node && ts.isStringLiteralLike(node)) imports.add(node.text);
    else computed.add(from.getText());
  };
  const visit = (node: ts.Node) => {
    if (ts.isImportDeclaration(node)) add(node.moduleSpecifier, node);
    else if (ts.isExportDeclaration(node) && node.moduleSpecifier) add(node.moduleSpecifier, node);
    else if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)) add(node.argument.literal, node);
    else if (ts.isCallExpression(node)) {
      const called = node.expression;
      if (called.kind === ts.SyntaxKind.ImportKeyword) add(node.arguments[0], node);
      const resolves = ts.isIdentifier(called)
        ? called.text === "require"
        : /^(import\.meta|require)\.resolve$/.test(called.getText());
      if (resolves) add(node.arguments[0], node);
      if (ts.isIdentifier(called) && called.text === "fetch") globals.add("fetch");
    } else if (ts.isPropertyAccessExpression(node)) {
      const access = node.getText().replace(/^globalThis\./, "");
      if (/^process\.(env|stdout|stderr|stdin|exit|argv|cwd|chdir)\b/.test(access)) {
        globals.add(access.split(".").slice(0, 2).join("."));
      }
      if (/^console\./.test(access)) globals.add("console");
    }
    const parts = ts.isVariableDeclaration(node)
      ? node.initializer
      : ts.isElementAccessExpression(node) && node.expression;
    if (parts && /^(globalThis\.)?process$/.test(parts.getText())) globals.add("process.env");
    ts.forEachChild(node, visit);
  };
  visit(file);
  return { imports: [...imports], computed: [...computed], globals: [...globals] };
}
