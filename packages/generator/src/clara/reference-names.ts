import {
  answerFromCandidates,
  answerFromDocuments,
  type ClaraAnswers,
  type ClaraDocument,
  type ClaraModel,
  type ParaphraseOptions,
  paraphrase,
} from "./answers.ts";

// The names that the reference has for what is done here, for people who come from there.

/** `answerFromDocuments` under the reference's name `generate_from_text`. */
export const generateFromText: typeof answerFromDocuments = answerFromDocuments;

/** `answerFromDocuments`, of memories, under the reference's name `generate_from_compressed_documents_and_questions`. */
export const generateFromCompressedDocumentsAndQuestions: typeof answerFromDocuments = answerFromDocuments;

/** `answerFromCandidates` under the reference's name `generate_from_questions`. */
export const generateFromQuestions: typeof answerFromCandidates = answerFromCandidates;

/** `paraphrase` under the reference's name `generate_from_paraphrase`, which takes questions too and does not read them. */
export function generateFromParaphrase(
  model: ClaraModel,
  _questions: readonly string[],
  documents: readonly (readonly ClaraDocument[])[],
  options?: ParaphraseOptions,
): Promise<ClaraAnswers> {
  return paraphrase(model, documents, options);
}
