/** What made a pair. Counts are reported per rule, and a rule can be left out. */
export const ruleNames = [
  "record",
  "table",
  "setting",
  "definition",
  "price",
  "measure",
  "count",
  "date",
  "time",
  "who",
  "where",
  "what",
  "why",
  "instruction",
  "faq",
  "heading",
  "list",
] as const;

export type RuleName = (typeof ruleNames)[number];

/** A question with its answer's place in a passage. */
export interface Pair {
  /** Unique among the pairs of one run, and the same in every run over the same text. */
  readonly id: string;
  /** Id of the passage. */
  readonly passage: string;
  readonly question: string;
  /** `passage.text.slice(start, end)`. */
  readonly answer: string;
  /** UTF-16 offsets into the passage's text, end exclusive. */
  readonly start: number;
  readonly end: number;
  readonly rule: RuleName;
  /** The text's form alone proves the pair (a table, `key: value`): right even where a reader does not find it. */
  readonly certain: boolean;
}

/** A question that a passage looks like answering and does not. */
export interface UnanswerablePair {
  readonly id: string;
  /** Id of the passage that does not answer. */
  readonly passage: string;
  readonly question: string;
  readonly rule: RuleName;
  /** Id of the pair whose question it is, or whose attribute is asked for. */
  readonly from: string;
}

/** What a rule finds: one fact, with the ways of asking for it. */
export interface Fact {
  readonly rule: RuleName;
  /** At least one; alike in meaning. */
  readonly questions: readonly string[];
  /** UTF-16 offsets into the passage's text. */
  readonly start: number;
  readonly end: number;
  /** @default false */
  readonly certain?: boolean;
  /** For records and tables: what is asked about, and which of its attributes. */
  readonly entity?: string;
  readonly attribute?: string;
}
