import type { Tokenizer } from "@clara/model";

/** One token per character: ids are char codes, offsets are easy to see. */
export const letters: Tokenizer = {
  id: "letters",
  cls: 1,
  sep: 2,
  pad: 0,
  unknown: 3,
  encode: (text) => ({
    ids: Int32Array.from(text, (c) => c.charCodeAt(0)),
    starts: Uint32Array.from(text, (_, i) => i),
    ends: Uint32Array.from(text, (_, i) => i + 1),
  }),
};
