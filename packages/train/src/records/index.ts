export {
  type AnswerRecord,
  type ClaraRecord,
  type ParaphraseRecord,
  placedDocuments,
  type QuestionsRecord,
  recordName,
} from "./clara-record.ts";
export { type EncodedRecord, type EncodeRecordOptions, encodeRecord } from "./encode-record.ts";
export { findAnswer, toSpanRecords } from "./find-answer.ts";
export { type LineReport, linesOf, type ReadRecordsOptions, type RecordsRead, readRecords } from "./read-records.ts";
export { writeRecord } from "./write-record.ts";
