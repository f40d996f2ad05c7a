import { contentOf, identity, writeWhenFree } from "./sample.ts";

// Run as a program: commits to the folder in its argument until it is killed, and prints a dot after each commit.
const [, , folder = ""] = process.argv;
for (let round = 0; ; round++) {
  const texts = Object.fromEntries(Array.from({ length: 20 }, (_, i) => [`d${i}`, `round ${round} has this text`]));
  await writeWhenFree(folder, { identity, content: contentOf(texts), createdBy: `round ${round}` });
  process.stdout.write(".");
}
