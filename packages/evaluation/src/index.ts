export { type AnswerMeasure, bestOf, coverMatch, exactMatch, f1Score, normalizeAnswer } from "./answers.ts";
export { type BeirDocument, type BeirQuery, type BeirSet, type BeirSources, readBeir } from "./beir.ts";
export { expectedCalibrationError, type ReliabilityBin, reliability } from "./calibration.ts";
export { auroc, type PrecisionRecall, precisionRecall } from "./decisions.ts";
export type { Lines } from "./lines.ts";
export { type FitLogisticOptions, fitLogistic, type LogisticModel, logistic } from "./logistic.ts";
export { ndcgAt, precisionAt, type Relevant, recallAt, reciprocalRank } from "./ranking.ts";
export { type EvaluationRecord, readRecords } from "./records.ts";
export { type BootstrapOptions, bootstrap, mean, percentile } from "./statistics.ts";
