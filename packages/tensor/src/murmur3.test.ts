import { describe, expect, it } from "vitest";
import { murmur3 } from "./murmur3.ts";

describe("murmur3", () => {
  const hash = (text: string, seed: number): number => murmur3(new TextEncoder().encode(text), seed);

  it("agrees with the published values, for every length of the rest", () => {
    expect(hash("", 0)).toBe(0);
    expect(hash("", 1)).toBe(0x514e28b7);
    expect(hash("", 0xffffffff)).toBe(0x81f16f39);
    expect(hash("test", 0)).toBe(0xba6bd213);
    expect(hash("test", 0x9747b28c)).toBe(0x704b81dc);
    expect(hash("Hello, world!", 0)).toBe(0xc0363e43);
    expect(hash("Hello, world!", 0x9747b28c)).toBe(0x24884cba);
    expect(hash("a", 0x9747b28c)).toBe(0x7fa09ea6);
    expect(hash("aa", 0x9747b28c)).toBe(0x5d211726);
    expect(hash("aaa", 0x9747b28c)).toBe(0x283e0130);
    expect(hash("aaaa", 0x9747b28c)).toBe(0x5a97808a);
  });

  it("reads only the part of a buffer that the array covers", () => {
    const padded = new TextEncoder().encode("--test--").subarray(2, 6);
    expect(murmur3(padded, 0)).toBe(0xba6bd213);
  });
});
