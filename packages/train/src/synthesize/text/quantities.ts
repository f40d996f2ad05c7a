/** A quantity or point in time in a text, with the word that governs it. */
export interface Quantity {
  readonly kind: "price" | "percent" | "duration" | "measure" | "count" | "date" | "year" | "clock" | "weekday";
  /** The quantity itself, "about" and "up to" left out. */
  readonly start: number;
  readonly end: number;
  /** With "about", "up to", "at least" before it. */
  readonly from: number;
  /** The noun that is counted or the unit: "products", "days"; empty where there is none. */
  readonly noun: string;
  /** The governing preposition right before, in lower case; empty for none. */
  readonly preposition: string;
  /** Where that preposition begins; `from` when there is none. */
  readonly prepositionStart: number;
}

const number = String.raw`(?:\d{1,3}(?:[,  ]\d{3})+|\d+)(?:\.\d+)?|(?:one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|fifteen|twenty|thirty|forty|fifty|sixty|seventy|eighty|ninety)(?=[\s-]\p{L})`;
const scale = String.raw`(?:\s(?:hundred|thousand|million|billion|trillion))?`;
const month =
  "(?:January|February|March|April|May|June|July|August|September|October|November|December|Jan|Feb|Mar|Apr|Jun|Jul|Aug|Sept?|Oct|Nov|Dec)";
const day = "(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day";
const clock = String.raw`(?:\d{1,2}:\d{2}(?:\s?[ap]\.?m\.?)?|\d{1,2}\s?[ap]\.?m\b\.?|noon|midnight)`;
const unit =
  "(?:km/h|mph|km|kilomet(?:re|er)s?|cm|centimet(?:re|er)s?|mm|millimet(?:re|er)s?|m²|m2|m|met(?:re|er)s?|inch(?:es)?|in|feet|foot|ft|miles?|yards?|kg|kilograms?|kilos?|g|grams?|lbs?|pounds?|oz|ounces?|tons?|tonnes?|litres?|liters?|l|ml|gallons?|watts?|W|kW|kWh|MW|volts?|V|amps?|Hz|MHz|GHz|bytes?|KB|MB|GB|TB|KiB|MiB|GiB|kB|bits?|lumens?|lm|degrees?|°C|°F|°|K|px|pixels?|square (?:km|met(?:re|er)s|feet|miles|kilomet(?:re|er)s)|cubic (?:met(?:re|er)s|feet)|mAh|dB|bar|psi|rpm|calories|kcal|acres|hectares)";
const time =
  "(?:milliseconds?|ms|seconds?|secs?|minutes?|mins?|hours?|hrs?|(?:working |business |calendar |trading |full )?days?|nights?|weeks?|months?|years?|decades?|centuries)";

const patterns: readonly (readonly [Quantity["kind"], string])[] = [
  [
    "price",
    String.raw`[€$£]\s?(?:${number})${scale}|(?:${number})${scale}\s?(?:euros?|EUR|USD|GBP|dollars|pounds sterling|cents|pence)\b`,
  ],
  ["percent", String.raw`(?:${number})\s?(?:%|percent\b|per cent\b)`],
  [
    "date",
    String.raw`\d{1,2}(?:st|nd|rd|th)?(?:\s+of)?\s+${month}(?:,?\s+\d{4})?\b|${month}\s+\d{1,2}(?:st|nd|rd|th)?(?:,\s*\d{4})?\b|${month}\s+\d{4}\b|\d{4}-\d{2}-\d{2}`,
  ],
  ["clock", String.raw`${clock}(?:\s?(?:-|–|to|and|until)\s?${clock})?`],
  ["weekday", String.raw`${day}s?(?:\s(?:to|and|through|until)\s${day}s?)?`],
  ["duration", String.raw`(?:${number})(?:\s?(?:-|–|to)\s?(?:${number}))?[\s-]${time}\b`],
  [
    "measure",
    String.raw`(?:${number})(?:\s?[x×]\s?(?:${number}))+(?:\s?${unit}(?![\p{L}\p{N}]))?|(?:${number})${scale}(?:\s?(?:-|–|to)\s?(?:${number}))?[\s-]?${unit}(?![\p{L}\p{N}])`,
  ],
  [
    "year",
    String.raw`(?<=\b(?:in|since|by|until|before|after|from|during|around|In|Since|By|Until|Before|After|From|During)\s(?:early |late |mid-|the |about )?)(?:1\d{3}|20\d{2})s?\b`,
  ],
  ["count", String.raw`(?:${number})${scale}(?=\s\p{Ll}[\p{L}-]+)`],
];
const finders = patterns.map(
  ([kind, source]) => [kind, new RegExp(String.raw`(?<![\p{L}\p{N}.,:/#-])(?:${source})`, "gu")] as const,
);

const hedge =
  /(?:\b(?:about|around|approximately|roughly|nearly|almost|over|up to|at least|at most|more than|less than|fewer than|only|just|a total of|some)\s+)$/i;
const governor =
  /\b(in|on|at|by|for|from|to|within|until|since|after|before|during|per|with|of|every|each|between|under|than|through)\s+(?:the\s+|a\s+)?$/i;

/** Quantities in masked[start, end), from left to right, none inside another. */
export function quantities(masked: string, start: number, end: number): Quantity[] {
  const part = masked.slice(0, end);
  const found: Quantity[] = [];
  for (const [kind, finder] of finders) {
    for (const match of part.slice(start).matchAll(finder)) {
      const at = start + match.index;
      const to = at + match[0].length;
      if (found.some((other) => at < other.end && to > other.start)) continue;
      const before = part.slice(start, at);
      const from = at - (hedge.exec(before)?.[0].length ?? 0);
      const governs = governor.exec(part.slice(start, from));
      const noun =
        kind === "count"
          ? countedNoun(masked.slice(to, end))
          : kind === "duration"
            ? (/[\p{L} ]+$/u.exec(match[0])?.[0].trim() ?? "")
            : "";
      if (kind === "count" && noun === "") continue;
      found.push({
        kind,
        start: at,
        end: to,
        from,
        noun,
        preposition: governs?.[1]?.toLowerCase() ?? "",
        prepositionStart: governs ? start + governs.index : from,
      });
    }
  }
  return found.sort((a, b) => a.start - b.start);
}

/** "small red doors" of " small red doors with": what is counted, with what describes it; empty when it is no plural. */
function countedNoun(after: string): string {
  const match =
    /^\s((?:\p{Ll}[\p{L}-]*\s){0,2}?\p{Ll}[\p{L}-]*(?:[^su\s]s|people|men|women|children|teeth|feet))(?=[\s.,;:)]|$)/u.exec(
      after,
    );
  const noun = match?.[1] ?? "";
  return /\b(?:of|and|or|in|on|at|to|for|the|with|is|was|has|times|than|from|by|as)\b/.test(noun) ? "" : noun;
}
