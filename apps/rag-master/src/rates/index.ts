export { corpusOfFolder, type Folder, readFolder } from "./folder-corpus.ts";
export {
  type Cell,
  type Measured,
  type MeasureRatesOptions,
  measureRates,
  type SharedCorpus,
} from "./measure-rates.ts";
export { ratesPage } from "./page.ts";
export { type BesideText, type RateCurve, type RatePoint, rateCurve, type Sooner, sooner } from "./rate-curve.ts";
export { besideTextTable, curveTable, plainTable } from "./tables.ts";
