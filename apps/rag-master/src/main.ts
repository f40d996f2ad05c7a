import { homedir } from "node:os";
import { join } from "node:path";
import { commandLine } from "./command-line.ts";

const stop = new AbortController();
process.once("SIGINT", () => stop.abort());
process.once("SIGTERM", () => stop.abort());
// Nobody reads what is said meanwhile any more: the work goes on.
process.stderr.on("error", () => {});
// A reader that has seen enough (`… | head`) is not an error.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code === "EPIPE") process.exit(0);
  throw error;
});

process.exitCode = await commandLine(process.argv.slice(2), {
  stdout: process.stdout,
  stderr: process.stderr,
  signal: stop.signal,
  cache: cacheFolder(),
  color: (process.env.NO_COLOR ?? "") === "",
  variable: (name) => process.env[name],
});

function cacheFolder(): string {
  const { CLARA_CACHE, XDG_CACHE_HOME, LOCALAPPDATA } = process.env;
  return CLARA_CACHE ?? join(XDG_CACHE_HOME ?? LOCALAPPDATA ?? join(homedir(), ".cache"), "clara");
}
