const wordCharacter = /[\p{L}\p{N}\p{M}]/u;

/**
 * Widens a span to whole words: a word piece may begin or end inside one.
 * Offsets are UTF-16; a surrogate pair is never cut in two.
 */
export function wholeWords(text: string, start: number, end: number): { start: number; end: number } {
  let from = start;
  let to = end;
  // A number goes on over its decimal point and its thousands: 129.00, 1,250.
  from -=
    /\p{N}+(?:[.,]\p{N}+)*[.,]$/u.exec(
      /^\p{N}/u.test(text.slice(from)) ? text.slice(Math.max(0, from - 20), from) : "",
    )?.[0].length ?? 0;
  to += /^(?:[.,]\p{N}+)+/u.exec(/\p{N}$/u.test(text.slice(0, to)) ? text.slice(to, to + 20) : "")?.[0].length ?? 0;
  while (from > 0 && joined(text, from)) from -= width(text, from, -1);
  while (to < text.length && joined(text, to)) to += width(text, to, 1);
  return { start: from, end: to };
}

/** Whether a word runs across this offset. */
function joined(text: string, at: number): boolean {
  const before = String.fromCodePoint(text.codePointAt(at - width(text, at, -1)) ?? 32);
  const after = String.fromCodePoint(text.codePointAt(at) ?? 32);
  return wordCharacter.test(before) && wordCharacter.test(after);
}

function width(text: string, at: number, direction: 1 | -1): number {
  const pair = direction === 1 ? text.slice(at, at + 2) : text.slice(at - 2, at);
  return /^[\uD800-\uDBFF][\uDC00-\uDFFF]$/.test(pair) ? 2 : 1;
}
