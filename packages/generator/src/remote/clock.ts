/** Time and chance, given by the caller where they must not be real. */
export interface Clock {
  /** ms since 1970. */
  now(): number;
  /** 0 to 1: the jitter of waits. */
  random(): number;
  /** Resolves after so many ms, or as soon as the signal fires. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
  /** Calls `ring` after so many ms, unless what it gives back is called before. */
  alarm(ms: number, ring: () => void): () => void;
}

/** Timers count in 31 bits, and ring at once for more. */
const longestMs = 2 ** 31 - 1;

export const systemClock: Clock = {
  now: () => Date.now(),
  random: () => Math.random(),
  sleep: (ms, signal) =>
    new Promise((resolve) => {
      const done = (): void => {
        clearTimeout(timer);
        signal?.removeEventListener("abort", done);
        resolve();
      };
      const timer = setTimeout(done, Math.min(ms, longestMs));
      if (signal?.aborted) done();
      else signal?.addEventListener("abort", done);
    }),
  alarm: (ms, ring) => {
    const timer = setTimeout(ring, Math.min(ms, longestMs));
    return () => clearTimeout(timer);
  },
};
