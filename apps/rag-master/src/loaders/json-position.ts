const SPACE = /[ \t\r\n]*/y;
const LITERAL = /(?:-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null)(?![\w.])/y;
const ESCAPE = /\\(?:["\\/bfnrt]|u[\da-fA-F]{4})/y;

/**
 * Where a JSON text goes wrong: the offset of the first character that cannot follow what stands before it, or the
 * text's length when it ends too early. JSON.parse gives no position in many of its messages.
 */
export function jsonErrorOffset(text: string): number {
  const open: string[] = [];
  // What may come next: a value, the key of an object, a colon, or (after a value) a comma or closing bracket.
  let want: "value" | "valueOrEnd" | "key" | "keyOrEnd" | "colon" | "after" = "value";
  let at = endOf(SPACE, text, 0);
  while (open.length > 0 || want !== "after") {
    const mark = text[at] ?? "";
    let next = at + 1;
    if (mark === "]" || mark === "}") {
      if (open.at(-1) !== mark || !(want === "after" || want === "valueOrEnd" || want === "keyOrEnd")) return at;
      open.pop();
      want = "after";
    } else if (mark === ",") {
      if (want !== "after") return at;
      want = open.at(-1) === "}" ? "key" : "value";
    } else if (mark === ":") {
      if (want !== "colon") return at;
      want = "value";
    } else if (want === "key" || want === "keyOrEnd") {
      if (mark !== '"') return at;
      next = stringEnd(text, at);
      if (next < 0) return ~next;
      want = "colon";
    } else if (want !== "value" && want !== "valueOrEnd") {
      return at;
    } else if (mark === "[" || mark === "{") {
      open.push(mark === "[" ? "]" : "}");
      want = mark === "[" ? "valueOrEnd" : "keyOrEnd";
    } else {
      next = mark === '"' ? stringEnd(text, at) : endOf(LITERAL, text, at);
      if (next < 0) return ~next;
      want = "after";
    }
    at = endOf(SPACE, text, next);
  }
  return at;
}

/** The offset after the string that starts at `at`, or `~offset` of what is wrong in it. */
function stringEnd(text: string, at: number): number {
  for (let i = at + 1; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code === 34) return i + 1;
    if (code < 32) return ~i;
    if (code !== 92) continue;
    const end = endOf(ESCAPE, text, i);
    if (end < 0) return ~i;
    i = end - 1;
  }
  return ~text.length;
}

/** The offset after the pattern's match at `at`, or `~at` when it does not match. */
function endOf(pattern: RegExp, text: string, at: number): number {
  pattern.lastIndex = at;
  return pattern.test(text) ? pattern.lastIndex : ~at;
}
