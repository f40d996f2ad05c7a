import { ClaraError, type Context, type Evidence, type Generated, type Generator, throwIfAborted } from "@clara/core";
import type { Encoder, Tokenizer } from "@clara/model";
import { chooseSpan, type SpanWeights } from "./choose-span.ts";
import { type ConfidenceFit, confidenceOf } from "./confidence.ts";
import type { MemoryReader, MemoryText } from "./memory-reader.ts";
import { readSpans, type Span, type SpanHead } from "./reader.ts";
import { type Fragment, layOut, type Sequence } from "./sequences.ts";
import { wholeMarks } from "./whole-marks.ts";
import { windowChooser } from "./window-chooser.ts";
import type { WindowOptions } from "./windows.ts";
import { wholeWords } from "./words.ts";

export interface QuoteGeneratorOptions extends WindowOptions {
  readonly encoder: Encoder;
  readonly head: SpanHead;
  readonly tokenizer: Tokenizer;
  /** Reads memories: for context `memory`, and to choose windows where `pointerWeight` is not 0. */
  readonly memories?: MemoryReader | undefined;
  readonly confidence: ConfidenceFit;
  /** Of answers from memories alone. @default as `confidence` */
  readonly memoryConfidence?: ConfidenceFit | undefined;
  /** Longest answer in tokens. @default 30 */
  readonly answerTokens?: number;
  /** Whether the reader is shown each evidence's title before its text; it should have been trained so. @default false */
  readonly titled?: boolean;
  /** How a span is chosen among those that the reader found. @default { support: 1.5, memory: 8, words: 2 } */
  readonly choice?: SpanWeights;
}

const spanWeights: SpanWeights = { support: 1.5, memory: 8, words: 2 };

/**
 * A generator whose answer is a quote: the best span of the evidence.
 *
 * `text` reads every evidence whole, each in a sequence of its own; `mixed` reads the windows that the memories point
 * at, those of one evidence together; `memory` reads no text: a reader of memories points at words of it. An answer of a span reader is known
 * all at once, so `onToken` gets it word by word.
 *
 * @throws ClaraError "unsupported" for context `memory` without a reader of memories, "option" for `mixed` without a
 *   question vector or `memory` without the question's states, "aborted" when the signal fires.
 */
export function quoteGenerator(options: QuoteGeneratorOptions): Generator {
  const { encoder, head, tokenizer, memories, answerTokens = 30, choice = spanWeights } = options;
  const { confidence, memoryConfidence = confidence } = options;
  const choose = windowChooser(options);
  return {
    name: "quote",
    async generate(query, evidence, { context, overlap = () => 0, signal, onToken }) {
      throwIfAborted(signal, "quoteGenerator");
      const texts = evidence.map(({ text }) => text);
      const titles = options.titled ? evidence.map(({ title }) => title) : undefined;
      const sequences: Sequence[] = [];
      const spans: Span[] = [];
      const best = context === "memory" ? await point() : await read();
      if (best === undefined) return null;
      const source = evidence[best.evidence]!;
      const words = wholeWords(source.text, best.start, best.end);
      const { start, end } = wholeMarks(source.text, words.start, words.end);
      const answer = source.text.slice(start, end);
      for (const piece of answer.match(/\s*\S+\s*$|\s*\S+/gu) ?? []) onToken?.(piece);
      const margin = best.score - best.none;
      return {
        answer,
        quotes: [{ evidence: source.id, text: answer, start, end }],
        confidence: confidenceOf(
          { margin, support: source.score },
          context === "memory" ? memoryConfidence : confidence,
        ),
        margin,
        tokens: {
          text: count(texts, tokenizer),
          read: sequences.reduce((sum, row) => sum + tokensRead(row, tokenizer), 0),
        },
      } satisfies Generated;

      async function read(): Promise<Span | undefined> {
        const groups = context === "text" ? whole(evidence) : await windowGroups();
        sequences.push(...layOut(query.text, texts, groups, tokenizer, { titles }));
        spans.push(
          ...(await readSpans(encoder, head, tokenizer, sequences, { answerTokens, ...(signal && { signal }) })),
        );
        return chooseSpan(spans, evidence, { vector: query.vector, overlap }, choice);
      }

      /** Windows of one evidence share a sequence; those of others would lend it words that answer nothing here. */
      async function windowGroups(): Promise<Fragment[][]> {
        if (query.vector === undefined) throw missing("mixed", "the question's vector to choose windows");
        const windows = await choose(query, evidence, { overlap, signal });
        return evidence.map((_, index) => windows.filter((fragment) => fragment.evidence === index));
      }

      async function point(): Promise<Span | undefined> {
        if (memories === undefined) {
          throw new ClaraError(
            "unsupported",
            "quoteGenerator: context memory needs a reader trained on memories, and this model has none; use context mixed (windows chosen by the memory) or text",
          );
        }
        const { text, states } = query;
        if (states === undefined) throw missing("memory", "the question's states");
        const places = evidence.flatMap(({ memory }, index) => (memory ? [index] : []));
        const found = await memories.point({ text, states }, withMemory(evidence), overlap, { answerTokens, signal });
        spans.push(...found.map((span) => ({ ...span, evidence: places[span.evidence]! })));
        return chooseSpan(spans, evidence, { vector: query.vector, overlap }, choice);
      }
    },
  };
}

function withMemory(evidence: readonly Evidence[]): MemoryText[] {
  return evidence.flatMap(({ text, memory }) => (memory ? [{ text, memory }] : []));
}

function missing(context: Context, needed: string): ClaraError {
  return new ClaraError("option", `quoteGenerator: context ${context} needs ${needed}, got none`);
}

function whole(evidence: readonly Evidence[]): Fragment[][] {
  return evidence.map(({ text }, index) => [{ evidence: index, start: 0, end: text.length }]);
}

/** What stands after the question, titles included. */
function tokensRead({ ids, types }: Sequence, { sep }: Tokenizer): number {
  return ids.filter((id, t) => types[t] === 1 && id !== sep).length;
}

function count(texts: readonly string[], tokenizer: Tokenizer): number {
  return texts.reduce((sum, text) => sum + tokenizer.encode(text).ids.length, 0);
}
