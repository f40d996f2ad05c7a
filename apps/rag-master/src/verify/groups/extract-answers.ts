import { taggedAnswers } from "@clara/train";
import type { Group } from "../group.ts";

interface File {
  readonly cases: readonly { readonly text: string; readonly answers: readonly string[] }[];
}

/** What stands between `<answer>` and `</answer>`. */
export const extractAnswers: Group = {
  name: "extract-answers",
  async run({ folder }, checks) {
    const { cases } = folder.json<File>("extract-answers.json");
    const ours = cases.map(({ text }) => taggedAnswers(text));
    checks.same(
      "extract-answers",
      ours,
      cases.map(({ answers }) => answers),
    );
  },
};
