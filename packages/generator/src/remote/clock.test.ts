import { describe, expect, it } from "vitest";
import { systemClock } from "./clock.ts";

describe("systemClock", () => {
  it("ends a sleep when the signal fires", async () => {
    const stop = new AbortController();
    const sleep = systemClock.sleep(Number.POSITIVE_INFINITY, stop.signal);
    stop.abort();
    await sleep;
    await systemClock.sleep(Number.POSITIVE_INFINITY, AbortSignal.abort());
    await systemClock.sleep(0);
  });

  it("rings an alarm that is not cancelled", async () => {
    const rung: string[] = [];
    await new Promise<void>((resolve) => {
      const cancel = systemClock.alarm(0, () => rung.push("cancelled"));
      const never = systemClock.alarm(Number.POSITIVE_INFINITY, () => rung.push("never"));
      cancel();
      systemClock.alarm(0, resolve);
      systemClock.alarm(0, never);
    });
    expect(rung).toEqual([]);
  });
});
