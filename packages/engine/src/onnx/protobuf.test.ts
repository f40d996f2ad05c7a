import { describe, expect, it } from "vitest";
import { bytes, encode, float, int, message, text } from "./protobuf.ts";

describe("encode", () => {
  it("writes the examples of the protobuf documentation", () => {
    expect([...encode(int(1, 150))]).toEqual([0x08, 0x96, 0x01]);
    expect([...encode(text(2, "testing"))]).toEqual([0x12, 0x07, 0x74, 0x65, 0x73, 0x74, 0x69, 0x6e, 0x67]);
    expect([...encode(message(3, int(1, 150)))]).toEqual([0x1a, 0x03, 0x08, 0x96, 0x01]);
  });

  it("writes float32 little-endian, and counts a string's bytes, not its characters", () => {
    expect([...encode(float(1, 1))]).toEqual([0x0d, 0, 0, 0x80, 0x3f]);
    expect([...encode(text(1, "é"))]).toEqual([0x0a, 2, 0xc3, 0xa9]);
  });

  it("writes numbers beyond 32 bits and field numbers beyond 15", () => {
    expect([...encode(int(20, 2 ** 35))]).toEqual([0xa0, 0x01, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01]);
  });

  it("nests messages with their sizes and keeps the order", () => {
    const inner = message(2, bytes(1, Uint8Array.of(7, 8)));
    expect([...encode(message(1, inner, int(3, 0)))]).toEqual([0x0a, 8, 0x12, 4, 0x0a, 2, 7, 8, 0x18, 0]);
  });
});
