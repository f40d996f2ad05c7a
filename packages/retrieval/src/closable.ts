import { ClaraError } from "@clara/core";

/** The end of a retriever's life: `close` frees once, and everything after it says so. */
export function closable(name: string, free: () => void): { assertOpen(method: string): void; close(): Promise<void> } {
  let closed = false;
  return {
    assertOpen(method) {
      if (closed) throw new ClaraError("option", `${name}.${method}: this retriever has been closed; make a new one`);
    },
    async close() {
      if (closed) return;
      closed = true;
      free();
    },
  };
}
