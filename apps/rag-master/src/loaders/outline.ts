import type { Block } from "./types.ts";

/** Collects blocks in reading order and keeps the path of headings above them. */
export interface Outline {
  /** A heading of level 1 (outermost) to 6 that covers text[start, end). */
  heading(level: number, title: string, start: number, end: number): void;
  /** Text under the headings so far. */
  block(start: number, end: number, options?: { kind?: Block["kind"]; keepWhole?: boolean }): void;
  /** The blocks; call once, at the end. */
  finish(): Block[];
  /** The first level-1 heading, else the first of any level. */
  title(): string | undefined;
}

/**
 * A heading belongs to the block that follows it. One without text of its own moves into its first subsection; one
 * without anything under it becomes a block, so that no heading is lost.
 */
export function createOutline(): Outline {
  const blocks: Block[] = [];
  const path: { level: number; title: string }[] = [];
  let pending: { start: number; end: number; level: number } | undefined;
  let first: string | undefined;
  let firstTop: string | undefined;
  const headings = (): string[] => path.map(({ title }) => title);
  const flush = (): void => {
    if (pending) blocks.push({ start: pending.start, end: pending.end, heading: headings(), kind: "prose" });
    pending = undefined;
  };
  return {
    heading(level, title, start, end) {
      if (pending && level <= pending.level) flush();
      while (path.length > 0 && path.at(-1)!.level >= level) path.pop();
      if (title !== "") {
        path.push({ level, title });
        first ??= title;
        if (level === 1) firstTop ??= title;
      }
      pending = { start: pending?.start ?? start, end, level };
    },
    block(start, end, { kind = "prose", keepWhole = false } = {}) {
      if (kind === "record" || keepWhole) {
        // Every record has its headings in its title; as a passage of their own they would say nothing.
        if (kind === "record") pending = undefined;
        flush();
        blocks.push({ start, end, heading: headings(), kind, ...(keepWhole && { keepWhole }) });
        return;
      }
      blocks.push({ start: pending?.start ?? start, end, heading: headings(), kind });
      pending = undefined;
    },
    finish() {
      flush();
      return blocks;
    },
    title: () => firstTop ?? first,
  };
}
