import { ClaraError, type Evidence, type Query } from "@clara/core";
import type { MemoryReader } from "./memory-reader.ts";
import type { Fragment } from "./sequences.ts";
import { chooseWindows, type Overlap, type Pointed, type WindowOptions } from "./windows.ts";

export interface WindowChooserOptions extends WindowOptions {
  /** Reads memories, to choose windows together with the cosine and the words: asked where `pointerWeight` is not 0. */
  readonly memories?: MemoryReader | undefined;
}

/** Which parts of the evidence's text are worth reading, in the order of the evidence and of the text. */
export type ChooseFragments = (
  query: Query,
  evidence: readonly Evidence[],
  options: { readonly overlap: Overlap; readonly signal?: AbortSignal | undefined },
) => Promise<Fragment[]>;

/**
 * `chooseWindows` for generators that are no readers themselves: with what a reader of memories says, where one is given.
 *
 * @throws ClaraError when called: "option" without the question's vector, and what the reader of memories throws.
 */
export function windowChooser({ memories, ...options }: WindowChooserOptions = {}): ChooseFragments {
  const asked = options.pointerWeight ? memories : undefined;
  return async ({ text, vector, states }, evidence, { overlap, signal }) => {
    if (vector === undefined) {
      throw new ClaraError("option", "windowChooser: needs the question's vector to choose windows, got none");
    }
    const pointed = asked && states ? await pointedAt(asked, { text, states }) : undefined;
    return chooseWindows({ vector, text }, evidence, overlap, options, pointed);

    async function pointedAt(
      reader: MemoryReader,
      question: { text: string; states: Float32Array },
    ): Promise<Pointed[]> {
      const withMemory = evidence.flatMap(({ text, memory }) => (memory ? [{ text, memory }] : []));
      const read = (await reader.windows(question, withMemory, overlap, { signal })).values();
      return evidence.map(({ memory }) => (memory ? read.next().value! : { none: 0, logits: new Float32Array(0) }));
    }
  };
}
