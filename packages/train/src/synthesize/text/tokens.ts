/** A word, number or mark with its offsets. */
export interface Token {
  readonly text: string;
  readonly lower: string;
  readonly start: number;
  readonly end: number;
}

// Words with what holds them together inside ("co-op", "75.5", "km/h", "don't"), money with its sign, single marks.
const pattern =
  /[€$£]\s?\d[\d.,]*\d|[€$£]\s?\d|--?[a-z][\w-]+|[\p{L}\p{N}](?:[\p{L}\p{N}'’.,:/_@#+-]*[\p{L}\p{N}%°+])?|\S/gu;

export function tokens(text: string, start = 0, end: number = text.length): Token[] {
  return [...text.slice(start, end).matchAll(pattern)].map(({ 0: word, index }) => ({
    text: word,
    lower: word.toLowerCase(),
    start: start + index,
    end: start + index + word.length,
  }));
}

export function isWord({ text }: Token): boolean {
  return /[\p{L}\p{N}]/u.test(text);
}

export function isCapital({ text }: Token): boolean {
  return /^\p{Lu}/u.test(text);
}
