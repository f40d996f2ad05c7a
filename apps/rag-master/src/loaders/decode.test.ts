import { describe, expect, it } from "vitest";
import { decodeText } from "./decode.ts";

const bytes = (...values: number[]): Uint8Array => Uint8Array.from(values);

describe("decodeText", () => {
  it("reads UTF-8 with and without a byte order mark", () => {
    expect(decodeText(new TextEncoder().encode("é€"))).toEqual({ text: "é€" });
    expect(decodeText(bytes(0xef, 0xbb, 0xbf, 0x61))).toEqual({ text: "a" });
  });

  it("reads UTF-16 of both byte orders by its mark", () => {
    expect(decodeText(bytes(0xff, 0xfe, 0x61, 0, 0xe9, 0))).toEqual({ text: "aé" });
    expect(decodeText(bytes(0xfe, 0xff, 0, 0x61, 0, 0xe9))).toEqual({ text: "aé" });
  });

  it("reads what is not UTF-8 as windows-1252, with a note", () => {
    expect(decodeText(bytes(0x63, 0x61, 0x66, 0xe9, 0x20, 0x80))).toEqual({
      text: "café €",
      note: "is not UTF-8: read as windows-1252",
    });
  });

  it("believes the encoding an HTML file declares", () => {
    const head = new TextEncoder().encode('<meta charset="iso-8859-2">');
    expect(decodeText(bytes(...head, 0xb3))).toMatchObject({ text: '<meta charset="iso-8859-2">ł' });
  });

  it("skips binary content", () => {
    expect(decodeText(bytes(0x50, 0x4b, 0, 1))).toEqual({ skip: "looks binary (has NUL bytes)" });
    expect(decodeText(bytes(1, 2, 3, 0x61))).toEqual({ skip: "looks binary (many control characters)" });
  });
});
