import { setImmediate } from "node:timers/promises";
import { ClaraError, throwIfAborted } from "@clara/core";
import { difference, mismatches, type Numbers } from "./compare.ts";
import { MissingFile } from "./folder.ts";
import { EXACT } from "./tolerances.ts";

/** One comparison with what the reference recorded. */
export interface Check {
  readonly name: string;
  readonly passed: boolean;
  /** The largest difference, or how many items differ where all must be equal; null when it could not be computed. */
  readonly maxError: number | null;
  /** The largest `maxError` that passes. */
  readonly tolerance: number;
  /** Why it failed. */
  readonly reason?: string;
}

/** A comparison that the folder's files do not allow. */
export interface SkippedCheck {
  readonly name: string;
  readonly reason: string;
}

/** An error of one of several things that are one check. */
export interface Part {
  readonly what: string;
  readonly error: number;
}

/** Where groups put what they found. */
export interface Checks {
  readonly list: readonly Check[];
  readonly skipped: readonly SkippedCheck[];
  /** Numbers within an absolute distance. */
  close(name: string, actual: Numbers, expected: Numbers, tolerance: number): void;
  /** JSON values that must be the same. */
  same(name: string, actual: unknown, expected: unknown): void;
  /** The largest of several errors; without any part nothing was compared, which fails. */
  worst(name: string, parts: readonly Part[], tolerance: number): void;
  /** That ours refuses what the reference stumbles over. */
  refuses(name: string, action: () => unknown): Promise<void>;
  skip(name: string, reason: string): void;
  /** Does a part of a group: a missing file skips what is left of it, any other error fails a check of that name. */
  attempt(name: string, action: () => unknown): Promise<void>;
}

export interface ChecksOptions {
  readonly signal?: AbortSignal | undefined;
  /** Called with the name of each part before it is done. */
  readonly onAttempt?: ((name: string) => void) | undefined;
}

export function createChecks({ signal, onAttempt }: ChecksOptions = {}): Checks {
  const list: Check[] = [];
  const skipped: SkippedCheck[] = [];
  const add = (name: string, maxError: number, tolerance: number, why: string): void => {
    // NaN is not at most anything.
    const passed = maxError <= tolerance;
    const known = Number.isFinite(maxError) ? maxError : null;
    list.push({ name, passed, maxError: known, tolerance, ...(!passed && { reason: why }) });
  };
  const worst: Checks["worst"] = (name, parts, tolerance) => {
    const [found] = parts.toSorted((a, b) => sortable(b.error) - sortable(a.error));
    if (!found) return add(name, Number.NaN, tolerance, "there is nothing to compare");
    add(name, found.error, tolerance, `${found.what}: differs by ${found.error}, at most ${tolerance}`);
  };
  return {
    list,
    skipped,
    worst,
    close: (name, actual, expected, tolerance) => {
      const { error, at } = difference(actual, expected);
      add(name, error, tolerance, `${at}: differs by ${error}, at most ${tolerance}`);
    },
    same: (name, actual, expected) => {
      const { count, first } = mismatches(actual, expected);
      add(name, count, EXACT, `${count} differ; ${first}`);
    },
    refuses: async (name, action) => {
      try {
        await action();
        add(name, 1, EXACT, "it was accepted");
      } catch (error) {
        if (!(error instanceof ClaraError) || error instanceof MissingFile || error.code === "aborted") throw error;
        add(name, 0, EXACT, "");
      }
    },
    skip: (name, reason) => {
      skipped.push({ name, reason });
    },
    attempt: async (name, action) => {
      // The parts compute in this thread: let a signal come in between.
      await setImmediate();
      throwIfAborted(signal, "verify-checkpoint");
      onAttempt?.(name);
      try {
        await action();
      } catch (error) {
        if (error instanceof MissingFile) skipped.push({ name, reason: error.message });
        else if (error instanceof ClaraError && error.code === "aborted") throw error;
        else add(name, Number.NaN, EXACT, explained(error));
      }
    },
  };
}

/** NaN is the largest error, and infinities cannot be subtracted. */
function sortable(error: number): number {
  return Number.isNaN(error) ? Number.MAX_VALUE : Math.min(error, Number.MAX_VALUE);
}

/** One line. A file that is not what it should be makes its reader stumble: then it is the file that is said to be so. */
function explained(error: unknown): string {
  const text = (error instanceof Error ? error.message : String(error)).split("\n")[0]!;
  return error instanceof ClaraError ? text : `a file has not the form that it should have: ${text}`;
}
