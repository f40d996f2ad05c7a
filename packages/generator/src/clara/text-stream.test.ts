import { tinyTokenizer } from "@clara/model/testing";
import { describe, expect, it } from "vitest";
import { textStream } from "./text-stream.ts";

const byte = (value: number): number => 3 + value;
const letters = (text: string): number[] =>
  [...text.replaceAll(" ", "▁")].map((letter) => tinyTokenizer.tokenId(letter)!);

function streamed(ids: readonly number[]): { pieces: string[]; text: string } {
  const pieces: string[] = [];
  const stream = textStream(tinyTokenizer, (piece) => pieces.push(piece));
  for (const id of ids) stream.add(id);
  return { pieces, text: stream.end() };
}

describe("textStream", () => {
  it("gives a word when the next one begins, and no space at the ends", () => {
    expect(streamed(letters(" in the north "))).toEqual({ pieces: ["in", " the", " north"], text: "in the north" });
    expect(streamed([])).toEqual({ pieces: [], text: "" });
    expect(streamed(letters("  "))).toEqual({ pieces: [], text: "" });
  });

  it("never takes back what bytes turn out to be", () => {
    const [line, start] = [byte(0x0a), byte(0xc3)];
    // A line end is one byte; with half of a letter behind it, both are unreadable.
    expect(streamed([...letters("a b"), line, ...letters("c")]).pieces).toEqual(["a", " b", "\nc"]);
    expect(streamed([...letters("a b"), line, start, ...letters(" c")])).toEqual({
      pieces: ["a", " b\ufffd\ufffd", " c"],
      text: "a b\ufffd\ufffd c",
    });
    expect(streamed([...letters("a b "), start, byte(0xa9)]).text).toBe("a b é");
    // Between the two stands a token that is no text.
    expect(streamed([...letters("a b"), line, tinyTokenizer.eosId, start, ...letters(" c")]).text).toBe(
      "a b\ufffd\ufffd c",
    );
  });

  it("gives pieces that joined are the text, whatever the ids", () => {
    let state = 5;
    const next = (): number => {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      return state >>> 8;
    };
    for (let i = 0; i < 200; i++) {
      const ids = Array.from({ length: 12 }, () => (next() % 3 === 0 ? letters(" ")[0]! : next() % tinyTokenizer.size));
      const { pieces, text } = streamed(ids);
      expect(pieces.join("")).toBe(text);
      expect(text).toBe(tinyTokenizer.decode(ids).trim());
    }
  });
});
