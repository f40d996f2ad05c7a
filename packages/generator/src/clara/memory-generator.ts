import { ClaraError, type Evidence, type Generator, throwIfAborted } from "@clara/core";
import type { ClaraTokenizer } from "@clara/model";
import { type ConfidenceFit, confidenceOf } from "../confidence.ts";
import { quotesOf } from "../quotes.ts";
import type { ClaraGenerator } from "./clara-generator.ts";
import { textStream } from "./text-stream.ts";

export interface MemoryGeneratorOptions {
  readonly generator: Pick<ClaraGenerator, "write">;
  readonly tokenizer: ClaraTokenizer;
  /** Evidence that is read at most, the first ones. @default 5, as the published weights were trained */
  readonly documents?: number;
  /** Most tokens of an answer, its end included. @default 128 */
  readonly maxTokens?: number;
  /** 0 takes the most probable words; above, they are drawn. @default 0 */
  readonly temperature?: number;
  /** Integer: what is drawn depends on it alone. @default 0 */
  readonly seed?: number;
  /** From `margin` and the evidence's score. @default the geometric mean of the tokens' probabilities, not calibrated */
  readonly confidence?: ConfidenceFit | undefined;
}

/**
 * A generator whose answers a CLaRa writes from the memories of the evidence. Of the evidence's text nothing is read: it is
 * counted, and looked through for the answer's words when they are written.
 *
 * The answer is in the model's words: `quotes` has at most one, where these words stand in an evidence. `margin` is the mean
 * log-probability of its tokens, at most 0. Null: no evidence has a memory, or the model ended without a word.
 *
 * @throws ClaraError when called: "unsupported" for a context other than `memory`, "option" for an impossible number, and what
 *   `ClaraGenerator.write` throws.
 */
export function memoryGenerator(options: MemoryGeneratorOptions): Generator {
  const { generator, tokenizer, documents = 5, maxTokens, temperature, seed, confidence } = options;
  return {
    name: "memories",
    async generate({ text: question }, evidence, { context, signal, onToken }) {
      throwIfAborted(signal, "memoryGenerator");
      if (context !== "memory") {
        throw new ClaraError(
          "unsupported",
          `memoryGenerator: reads memories alone, got context ${context}; use memory`,
        );
      }
      const used = evidence.filter((each) => each.memory !== undefined).slice(0, documents);
      if (used.length === 0) return null;
      const stream = textStream(tokenizer, onToken);
      const task = { task: "answer" as const, question, memories: used.map(({ memory }) => memory!) };
      const [written] = await generator.write([task], {
        ...(maxTokens !== undefined && { maxTokens }),
        temperature,
        seed,
        signal,
        onToken: (_, id) => stream.add(id),
      });
      const answer = stream.end();
      if (answer === "") return null;
      const margin = written!.logProbability;
      const support = Math.max(...used.map(({ score }) => score));
      return {
        answer,
        quotes: quotesOf(answer, used),
        confidence: confidence ? confidenceOf({ margin, support }, confidence) : Math.exp(margin),
        margin,
        tokens: { text: used.reduce((sum, { text }) => sum + tokensOf(text), 0), read: 0 },
      };
    },
  };

  function tokensOf(text: Evidence["text"]): number {
    return tokenizer.encode(tokenizer.literal(text)).length;
  }
}
