/**
 * Text from outside (a quote, a path, a message) for one line of a terminal: white space becomes one space, and
 * every character that a terminal would obey instead of show is written out, so that a document cannot move the
 * cursor, change colours, set the clipboard, or reverse the reading direction.
 */
export function oneLine(text: string): string {
  return safeText(text.replace(/\s+/g, " "));
}

/** As `oneLine`, but line ends stay: for answers and messages. Tabs and other white space stay what they are. */
export function safeText(text: string): string {
  return text.replace(/\r\n/g, "\n").replace(OBEYED, (character) => {
    const code = character.charCodeAt(0);
    return code < 0x100 ? `\\x${code.toString(16).padStart(2, "0")}` : `\\u${code.toString(16)}`;
  });
}

// C0 without tab and newline, DEL, C1 (0x9b is CSI), then the bidirectional embeddings, overrides and isolates.
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what this is about
const OBEYED = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/g;

/** At most `length` characters as a reader counts them, the middle left out. */
export function cutMiddle(text: string, length: number): string {
  if (text.length <= length) return text;
  const characters = Array.from(new Intl.Segmenter().segment(text), ({ segment }) => segment);
  if (characters.length <= length) return text;
  const head = Math.ceil((length - 3) / 2);
  const tail = length - 3 - head;
  return `${characters.slice(0, head).join("").trimEnd()} … ${characters
    .slice(characters.length - tail)
    .join("")
    .trimStart()}`;
}
