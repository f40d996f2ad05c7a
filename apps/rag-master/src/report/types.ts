/** A report: what a run or a measurement has found, for people. */
export interface Report {
  readonly title: string;
  /** Paragraphs under the title, one a line. */
  readonly intro?: string | undefined;
  readonly sections: readonly Section[];
}

/** A heading and what stands below it, in this order. */
export interface Section {
  readonly heading: string;
  /** Paragraphs, one a line. */
  readonly text?: string | undefined;
  readonly table?: Table | undefined;
  readonly chart?: Chart | undefined;
}

export interface Table {
  readonly columns: readonly string[];
  /** As many cells in each as there are columns; null is an empty one. */
  readonly rows: readonly (readonly (string | number | null)[])[];
}

/** Series over one x axis. */
export interface Chart {
  /** `line` joins the points of a series, `scatter` does not. */
  readonly kind: "line" | "scatter";
  readonly x: Axis & { readonly values: readonly number[] };
  readonly y: Axis;
  readonly series: readonly Series[];
}

export interface Axis {
  readonly label: string;
  /** Whether its scale is logarithmic: only numbers above 0 are shown. @default false */
  readonly log?: boolean | undefined;
}

/** As many values as `x` has; null where there is none. */
export interface Series {
  readonly label: string;
  readonly values: readonly (number | null)[];
  /** Ends of an interval around each value: a band around a line, whiskers through a point. */
  readonly low?: readonly (number | null)[] | undefined;
  readonly high?: readonly (number | null)[] | undefined;
  /** Drawn thin and pale, behind the others. @default false */
  readonly faint?: boolean | undefined;
}
