/** The folder of the engine's code, `src` or `dist`, and the same of `@clara/tensor` beside it in a repository. */
const own = /^(?:file:\/\/)?(.*[\\/](?:src|dist)[\\/])/.exec(import.meta.url)?.[1] ?? "";
const libraries = [own, own.replace(/engine([\\/](?:src|dist)[\\/])$/, "tensor$1")];

/** TensorFlow.js, this engine and `@clara/tensor`, where they are installed. */
const installed = /^node:|[\\/]node_modules[\\/](?:\.pnpm[\\/])?@(?:tensorflow[\\/+]|clara[\\/](?:engine|tensor)[\\/])/;

/**
 * " (at <file>:<line>:<column>)" of the code that called a TensorFlow.js operation, or "" when the stack has none.
 *
 * @param error whose stack is read; by default that of the call
 */
export function callSite(error?: Error): string {
  for (const line of (error ?? deepError()).stack?.split("\n").slice(1) ?? []) {
    const place = /\(?((?:file:\/\/)?[^()\s]+:\d+:\d+)\)?$/.exec(line.trim())?.[1]?.replace("file://", "");
    if (place === undefined || installed.test(place)) continue;
    // Tests of these packages lie among their code.
    if (libraries.some((folder) => place.startsWith(folder)) && !/\.test\.ts:/.test(place)) continue;
    return ` (at ${place})`;
  }
  return "";
}

function deepError(): Error {
  const { stackTraceLimit } = Error;
  Error.stackTraceLimit = 60;
  const error = new Error();
  Error.stackTraceLimit = stackTraceLimit;
  return error;
}
