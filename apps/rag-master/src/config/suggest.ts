/** What others call some settings. */
const ALIASES: Readonly<Record<string, string>> = {
  apikey: "key_variable",
  key: "key_variable",
  keyenv: "key_variable",
  baseurl: "url",
  timeout: "timeout_seconds",
};

/**
 * The setting that was probably meant by an unknown one, if any: another spelling (`topK`, `top-k`), a slip of the
 * keyboard, or the right name in the wrong section.
 *
 * @param path the unknown setting, dotted
 * @param known all settings, dotted
 * @returns the last part of the name when it belongs to the same section, else the dotted name
 */
export function suggest(path: string, known: readonly string[]): string | undefined {
  const cut = path.lastIndexOf(".") + 1;
  const [parent, name] = [path.slice(0, cut), path.slice(cut)];
  const inside = known.filter((setting) => setting.startsWith(parent));
  const siblings = [...new Set(inside.map((setting) => setting.slice(cut).split(".")[0]!))];

  const near = siblings.map((sibling) => ({ sibling, slips: distance(plain(name), plain(sibling)) }));
  const best = near.sort((a, b) => a.slips - b.slips)[0];
  if (best && best.slips <= Math.max(1, Math.floor(plain(name).length / 3))) return best.sibling;
  const alias = ALIASES[plain(name)];
  if (alias !== undefined && siblings.includes(alias)) return alias;
  return known.find((setting) => plain(setting.slice(setting.lastIndexOf(".") + 1)) === plain(name));
}

function plain(name: string): string {
  return name.toLowerCase().replace(/[-_\s]/g, "");
}

/** Optimal string alignment: insertions, deletions, replacements and swapped neighbours count 1 each. */
function distance(a: string, b: string): number {
  const table = Array.from({ length: a.length + 1 }, (_, i) => [i, ...new Array<number>(b.length).fill(0)]);
  table[0] = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    for (let j = 1; j <= b.length; j++) {
      const [row, above] = [table[i]!, table[i - 1]!];
      row[j] = Math.min(above[j]! + 1, row[j - 1]! + 1, above[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1));
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      if (swapped) row[j] = Math.min(row[j]!, table[i - 2]![j - 2]! + 1);
    }
  }
  return table[a.length]![b.length]!;
}
