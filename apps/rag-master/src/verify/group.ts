import type { Checks } from "./check.ts";
import type { Session } from "./session.ts";

/** The checks of one kind of files. */
export interface Group {
  /** Its checks' names begin with it. */
  readonly name: string;
  /** A missing file that it reads first skips all of it; after `checks.attempt`, a part. */
  run(session: Session, checks: Checks): Promise<void>;
}
