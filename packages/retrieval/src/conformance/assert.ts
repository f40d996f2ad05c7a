/** A case of the kit that a retriever fails. */
export class ConformanceError extends Error {
  constructor(message: string) {
    super(message);
    this.name = "ConformanceError";
  }
}

export function check(condition: boolean, message: string): asserts condition {
  if (!condition) throw new ConformanceError(message);
}

export function checkEqual(what: string, got: unknown, expected: unknown): void {
  const [a, b] = [JSON.stringify(got), JSON.stringify(expected)];
  check(a === b, `${what}: expected ${b}, got ${a}`);
}

/** @param code Of the ClaraError that must come; the error's class is not looked at, so that a second copy of core does not matter. */
export async function checkRejects(
  what: string,
  attempt: () => Promise<unknown>,
  codes: readonly string[],
): Promise<void> {
  let value: unknown;
  try {
    value = await attempt();
  } catch (error) {
    const { name, code, message } = error as { name?: string; code?: string; message?: string };
    const fits = name === "ClaraError" && code !== undefined && codes.includes(code);
    check(fits, `${what}: expected a ClaraError with code ${codes.join(" or ")}, got ${name} "${code}": ${message}`);
    return;
  }
  check(false, `${what}: expected a ClaraError with code ${codes.join(" or ")}, got ${JSON.stringify(value)}`);
}
