import { ClaraError } from "@clara/core";
import { afterEach, describe, expect, it } from "vitest";
import { type Channel, openChannel } from "./channel.ts";

const channels: Channel[] = [];

/** A worker that answers numbers with their double, after what its code does first. */
function open(first = ""): Channel {
  const code = `
    import { parentPort } from "node:worker_threads";
    const seen = [];
    parentPort.on("message", async (message) => {
      if (message === "close") return parentPort.close();
      seen.push(message);
      ${first}
      parentPort.postMessage({ value: message === "seen" ? seen : message * 2 });
    });`;
  const channel = openChannel(new URL(`data:text/javascript,${encodeURIComponent(code)}`), "test");
  channels.push(channel);
  return channel;
}

const send = (channel: Channel, message: unknown, signal?: AbortSignal) =>
  channel.request(() => ({ message, transfer: [] }), signal);

afterEach(async () => {
  for (const channel of channels.splice(0)) await channel.close();
});

describe("openChannel", () => {
  it("forbids the native library to report home, unless the variable says otherwise", async () => {
    const { ORT_DISABLE_TELEMETRY: before } = process.env;
    try {
      delete process.env.ORT_DISABLE_TELEMETRY;
      open();
      expect(process.env.ORT_DISABLE_TELEMETRY).toBe("1");
      process.env.ORT_DISABLE_TELEMETRY = "0";
      open();
      expect(process.env.ORT_DISABLE_TELEMETRY).toBe("0");
    } finally {
      process.env.ORT_DISABLE_TELEMETRY = before ?? "1";
    }
  });

  it("answers in the order of the requests", async () => {
    const channel = open();
    expect(await Promise.all([1, 2, 3].map((n) => send(channel, n)))).toEqual([2, 4, 6]);
  });

  it("never sends a waiting request whose signal has fired", async () => {
    const channel = open();
    const stop = new AbortController();
    const first = send(channel, 1);
    const second = send(channel, 2, stop.signal);
    stop.abort("enough");
    await expect(second).rejects.toMatchObject({ code: "aborted", cause: "enough" });
    expect(await first).toBe(2);
    expect(await send(channel, "seen")).toEqual([1, "seen"]);
  });

  it("hands on the parts of an answer before the answer itself", async () => {
    const channel = open(`for (let i = 0; i < message; i++) parentPort.postMessage({ part: i });`);
    const parts: unknown[] = [];
    const take = (part: unknown) => void parts.push(part);
    const answer = channel.request(() => ({ message: 3, transfer: [] }), undefined, take);
    const next = send(channel, 5); // its parts are nobody's
    expect(await answer).toBe(6);
    expect(parts).toEqual([0, 1, 2]);
    expect(await next).toBe(10);
    expect(parts).toEqual([0, 1, 2]);
  });

  it("tells a running request to stop, and rejects it before the worker has", async () => {
    const code = `
      if (message === "abort") return parentPort.postMessage({ failure: "stopped" });
      if (message === "wait") return parentPort.postMessage({ part: "running" });`;
    const channel = open(code);
    const stop = new AbortController();
    const parts: unknown[] = [];
    const take = (part: unknown) => {
      parts.push(part);
      stop.abort();
    };
    const running = channel.request(() => ({ message: "wait", transfer: [] }), stop.signal, take);
    await expect(running).rejects.toMatchObject({ code: "aborted" });
    expect(parts).toEqual(["running"]);
    expect(await send(channel, "seen")).toEqual(["wait", "abort", "seen"]);
  });

  it("turns a failure into an engine error and goes on", async () => {
    const channel = open(`if (message === 0) return parentPort.postMessage({ failure: "no zero" });`);
    const failed = send(channel, 0);
    const next = send(channel, 4);
    await expect(failed).rejects.toMatchObject({ code: "engine", message: "test: no zero" });
    expect(await next).toBe(8);
  });

  it("rejects one request whose message cannot be made, and only that", async () => {
    const channel = open();
    const broken = channel.request(() => {
      throw new ClaraError("input", "no message");
    });
    await expect(broken).rejects.toMatchObject({ code: "input" });
    await expect(send(channel, () => 0)).rejects.toThrow(/could not be cloned/);
    expect(await send(channel, 4)).toBe(8);
  });

  it.each([
    ["throws", `throw new Error("out of luck");`, /out of luck/],
    ["exits", "process.exit(3);", /exit code 3/],
  ])("rejects everything unfinished and later when the worker %s", async (_, code, reason) => {
    const channel = open(code);
    const both = [send(channel, 1), send(channel, 2)].map((request) => request.catch((error) => error));
    for (const error of await Promise.all(both)) {
      expect(error).toMatchObject({ code: "engine", message: expect.stringMatching(reason) });
    }
    await expect(send(channel, 3)).rejects.toMatchObject({ code: "engine" });
  });

  it("rejects when the worker's file is not there", async () => {
    const channel = openChannel(new URL("./nowhere.ts", import.meta.url), "test");
    await expect(send(channel, 1)).rejects.toMatchObject({ code: "engine" });
    await channel.close();
  });
});
