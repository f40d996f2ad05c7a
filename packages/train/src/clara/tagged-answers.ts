/**
 * What stands between `<answer>` and `</answer>`, each time, without white space around it: how a trace of reasoning marks its
 * answer. A tag that is not closed marks nothing.
 */
export function taggedAnswers(text: string): string[] {
  return Array.from(text.matchAll(/<answer>(.*?)<\/answer>/gs), ([, answer]) => answer!.trim());
}
