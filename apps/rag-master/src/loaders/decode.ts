import type { Skipped } from "./types.ts";

/** Text of a file, and a note when its encoding had to be guessed. */
export interface Decoded {
  readonly text: string;
  readonly note?: string;
}

// Above this share of control characters the bytes are not text in any encoding tried here.
const CONTROL_SHARE = 0.02;

/**
 * Bytes to text, without their byte order mark.
 *
 * UTF-16 when the mark says so, else UTF-8, else the encoding an HTML file declares, else windows-1252, which gives
 * every byte a character: a file saved by an old editor is read, with a note, rather than lost.
 */
export function decodeText(bytes: Uint8Array): Decoded | Skipped {
  const utf16 =
    bytes[0] === 0xff && bytes[1] === 0xfe ? "utf-16le" : bytes[0] === 0xfe && bytes[1] === 0xff ? "utf-16be" : "";
  if (utf16) return checked(new TextDecoder(utf16).decode(bytes));
  if (bytes.includes(0)) return { skip: "looks binary (has NUL bytes)" };
  try {
    return checked(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch {
    const encoding = declaredEncoding(bytes) ?? "windows-1252";
    return checked(new TextDecoder(encoding).decode(bytes), `is not UTF-8: read as ${encoding}`);
  }
}

function checked(text: string, note?: string): Decoded | Skipped {
  let controls = 0;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    // Tab, line feed, vertical tab, form feed, carriage return and escape occur in texts.
    if (code < 32 && (code < 9 || code > 13) && code !== 27) controls++;
  }
  if (controls > text.length * CONTROL_SHARE) return { skip: "looks binary (many control characters)" };
  return note === undefined ? { text } : { text, note };
}

function declaredEncoding(bytes: Uint8Array): string | undefined {
  const head = new TextDecoder("latin1").decode(bytes.subarray(0, 1024));
  const label = /<meta[^>]+charset\s*=\s*["']?([\w-]+)/i.exec(head)?.[1];
  if (!label || /^utf-?(8|16)/i.test(label)) return undefined;
  try {
    return new TextDecoder(label).encoding;
  } catch {
    return undefined;
  }
}
