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
  const results = JSON.parse(readFileSync(report, "utf8"));
  const tests = results.testResults.flatMap(({ assertionResults }) => assertionResults);
  const count = (...states) => tests.filter(({ status }) => states.includes(status)).length;
  for (const { fullName, status } of tests) {
    if (status !== "passed" && status !== "failed") console.log(`skipped: ${fullName}`);
  }
  // A file that does not even load has no tests to fail: count it, so that the line never looks better than the run.
  const failures = Math.max(count("failed"), code === 0 ? 0 : 1) + failed.length;
  const passed = count("passed") + checks.length - failed.length;
  console.log(`\n${passed} passed, ${failures} failed, ${tests.length - count("passed", "failed")} skipped`);
  process.exitCode = failures > 0 || code !== 0 ? 1 : 0;
} finally {
  rmSync(folder, { recursive: true, force: true });
}
