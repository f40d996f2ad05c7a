/** White space as Python knows it: with the separators below U+0020 and U+0085, and without U+FEFF, unlike `trim`. */
const space = String.raw`[\t-\r\x1c-\x20\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]*`;
const marked = new RegExp(`<answer>${space}(.*?)${space}</answer>`, "gs");

/**
 * What stands between `<answer>` and `</answer>`, each time, without white space around it: how a trace of reasoning marks its
 * answer. A tag that is not closed marks nothing.
 */
export function taggedAnswers(text: string): string[] {
  return Array.from(text.matchAll(marked), ([, answer]) => answer!);
}
