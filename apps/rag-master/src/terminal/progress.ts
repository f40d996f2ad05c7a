import cliProgress from "cli-progress";
import type { Output } from "./output.ts";
import { oneLine } from "./safe-text.ts";

/** How far one job is. */
export interface Progress {
  /** @param detail what is being worked on, such as a file's name */
  update(done: number, detail?: string): void;
  /** Ends it; call it in `finally`, since a bar keeps the process alive. Calls after it do nothing. */
  stop(): void;
}

/** Milliseconds before the first line, and between two, where there is no bar: a job of hours goes into a log. */
const FIRST_LINE = 1000;
const LINE_EVERY = 10_000;

export const noProgress: Progress = { update() {}, stop() {} };

/** Lines such as `indexing 12/40 notes.md`: the first after a second, then one in ten seconds at most, and always the last. */
export function progressLines(label: string, total: number, output: Output, now: () => number): Progress {
  let nextAt = now() + FIRST_LINE;
  let written = "";
  let latest = "";
  const write = () => {
    if (latest !== written) output.write(`${latest}\n`);
    written = latest;
    nextAt = now() + LINE_EVERY;
  };
  let stopped = false;
  return {
    update(done, detail = "") {
      if (stopped) return;
      latest = oneLine(`${label} ${done}/${total} ${detail}`).trimEnd();
      if (now() >= nextAt) write();
    },
    stop() {
      if (!stopped) write();
      stopped = true;
    },
  };
}

/** A bar that makes room for other lines. */
export interface Bar extends Progress {
  /** Writes something else on its line and draws the bar again below. */
  around(write: () => void): void;
}

/** `indexing [=====     ] 12/40 notes.md` on the terminal's last line, gone when it stops. */
export function progressBar(label: string, total: number, output: Output): Bar {
  const width = () => output.columns ?? 80;
  let drawn = "";
  const clear = () => output.write("\r\x1b[2K");
  const draw = (line: string) => {
    drawn = line;
    clear();
    output.write(line.slice(0, width() - 1));
  };
  // The library's own terminal saves the cursor at the start and restores it at the end, which overwrites whatever
  // was written in between.
  const terminal = {
    isTTY: () => true,
    getWidth: width,
    write: draw,
    clearLine: clear,
    newline() {},
    cursor() {},
    cursorTo() {},
    cursorSave() {},
    cursorRestore() {},
    clearRight() {},
    lineWrapping() {},
  };
  const options = {
    terminal,
    format: "{label} [{bar}] {value}/{total} {detail}",
    barCompleteChar: "=",
    barIncompleteChar: " ",
    barsize: 30,
    clearOnComplete: true,
    // Signals are the app's.
    gracefulExit: false,
  };
  const bar = new cliProgress.SingleBar(options);
  let stopped = false;
  bar.start(total, 0, { label: oneLine(label), detail: "" });
  return {
    update(done, detail = "") {
      if (!stopped) bar.update(done, { detail: oneLine(detail) });
    },
    stop() {
      if (!stopped) bar.stop();
      stopped = true;
    },
    around(write) {
      if (stopped) return write();
      clear();
      write();
      draw(drawn);
    },
  };
}
