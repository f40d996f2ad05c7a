/** Files between an operation and the code that called it: TensorFlow.js, `@clara/tensor` and the engine itself. */
const library = /node_modules[\\/](\.pnpm[\\/])?@tensorflow|[\\/](tensor|engine)[\\/](src|dist)[\\/]|^node:/;

/** " (at <file>:<line>:<column>)" of the code that called a TensorFlow.js operation, or "" when the stack has none. */
export function callSite(): string {
  const { stackTraceLimit } = Error;
  Error.stackTraceLimit = 60;
  const { stack = "" } = new Error();
  Error.stackTraceLimit = stackTraceLimit;
  for (const line of stack.split("\n").slice(1)) {
    const place = /\(?((?:file:\/\/)?[^()\s]+:\d+:\d+)\)?$/.exec(line.trim())?.[1];
    if (place && (!library.test(place) || /\.test\.ts:/.test(place))) return ` (at ${place.replace("file://", "")})`;
  }
  return "";
}
