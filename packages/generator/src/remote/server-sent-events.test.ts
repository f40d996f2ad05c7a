import { describe, expect, it } from "vitest";
import { serverSentEvents } from "./server-sent-events.ts";

async function read(...pieces: readonly (string | Uint8Array)[]): Promise<string[]> {
  async function* bytes() {
    for (const piece of pieces) yield typeof piece === "string" ? new TextEncoder().encode(piece) : piece;
  }
  const events: string[] = [];
  for await (const data of serverSentEvents(bytes())) events.push(data);
  return events;
}

describe("serverSentEvents", () => {
  it("gives the data of each event, wherever the pieces are cut", async () => {
    const text =
      'data: {"a": 1}\n\ndata:two\r\n\r\n: a comment\nevent: x\nid: 7\ndata: é\ndata:  b\n\ndata: [DONE]\n\n';
    const expected = ['{"a": 1}', "two", "é\n b", "[DONE]"];
    expect(await read(text)).toEqual(expected);
    expect(await read(...Array.from(new TextEncoder().encode(text), (byte) => Uint8Array.of(byte)))).toEqual(expected);
  });

  it("leaves out an event that is cut off, and empty ones", async () => {
    expect(await read("\n\n: only a comment\n\ndata: a\n\ndata: b\n")).toEqual(["a"]);
    expect(await read()).toEqual([]);
  });
});
