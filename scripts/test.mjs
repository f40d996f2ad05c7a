// `npm test`: sets the clone up, then style, types and every test. Ends with "N passed, N failed, N skipped".
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { command, launch, root, setup } from "./setup.mjs";

setup();
process.chdir(root);
process.env.INIT_CWD = root;
const tool = (name) => join(root, "node_modules", ".bin", command(name));
const filters = process.argv.slice(2);

const folder = mkdtempSync(join(tmpdir(), "clara-test-"));
const report = join(folder, "report.json");
try {
  const checks =
    filters.length > 0
      ? []
      : [
          ["style", "biome", ["check", "."]],
          ["types", "tsc", ["--noEmit"]],
        ];
  const failed = checks.filter(([title, name, args]) => {
    console.log(`\n— ${title}: ${name} ${args.join(" ")}`);
    return launch(tool(name), args) !== 0;
  });
  console.log("\n— tests: vitest run");
  const code = launch(tool("vitest"), [
    "run",
    ...filters,
    "--reporter=default",
    "--reporter=json",
    `--outputFile.json=${report}`,
  ]);
  const {
    numPassedTests,
    numFailedTests,
    numPendingTests,
    numTodoTests = 0,
    numFailedTestSuites,
  } = JSON.parse(readFileSync(report, "utf8"));
  // A file that does not even load has no tests to fail: count it, so that the line never looks better than the run.
  const failures = Math.max(numFailedTests, numFailedTestSuites > 0 || code !== 0 ? 1 : 0) + failed.length;
  console.log(
    `\n${numPassedTests + checks.length - failed.length} passed, ${failures} failed, ${numPendingTests + numTodoTests} skipped`,
  );
  process.exitCode = failures > 0 || code !== 0 ? 1 : 0;
} finally {
  rmSync(folder, { recursive: true, force: true });
}
