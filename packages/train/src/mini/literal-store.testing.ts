import { random } from "../random.ts";
import { townTokenizer } from "../reading/towns.testing.ts";
import type { PassageStates, PassageStore } from "./passage-states.ts";

/** A store of states that are no model's: numbers that the text decides, before each text CLS alone. */
export const literalStore: PassageStore = {
  width: 4,
  get: async (passages) => passages.map(({ text }) => literalStates(text)),
  dispose: async () => {},
};

export function literalStates(text: string): PassageStates {
  const { ids } = townTokenizer.encode(text);
  const { below } = random(...ids);
  const length = ids.length + 2;
  return { values: Int8Array.from({ length: length * 4 }, () => below(255) - 127), scale: 0.5, length, head: 1 };
}
