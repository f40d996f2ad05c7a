import { ClaraError } from "@clara/core";
import { tf } from "@clara/tensor";
import { callSite } from "./call-site.ts";

const frozen = "its numbers would be the same at every call; use dropout of @clara/tensor, or pass random numbers in";

/**
 * Runs `fn` while what cannot be recorded, and would go wrong without an error, is refused: random numbers, and
 * variables that are made or assigned.
 */
export function withGuards<T>(fn: () => T): T {
  const { random } = Math;
  const engine = tf.engine();
  const { assign } = tf.Variable.prototype;
  Math.random = () => {
    throw new ClaraError(
      "engine",
      `compile: ${drawing() ?? "the function"} draws random numbers${callSite()}; ${frozen}`,
    );
  };
  tf.Variable.prototype.assign = function (this: tf.Variable) {
    throw new ClaraError(
      "engine",
      `compile: the function assigns to the variable ${this.name}${callSite()}, which would hold a tensor without values ` +
        "from then on; return the new value and assign it outside",
    );
  };
  // An own property hides the method of the class.
  engine.makeVariable = () => {
    throw new ClaraError(
      "engine",
      `compile: the function makes a variable${callSite()}, and would make another at each call; make it outside`,
    );
  };
  try {
    return fn();
  } finally {
    Math.random = random;
    tf.Variable.prototype.assign = assign;
    Reflect.deleteProperty(engine, "makeVariable");
  }
}

/** A seeded random operation does not ask `Math.random`; it is known by the functions that called for its tensor. */
export function refuseSeededRandom(): void {
  const operation = drawing();
  if (operation) throw new ClaraError("engine", `compile: ${operation} draws random numbers${callSite()}; ${frozen}`);
}

/** "tf.dropout", when that is what runs; the outermost of TensorFlow.js's functions that draw. */
function drawing(): string | undefined {
  const { stackTraceLimit } = Error;
  Error.stackTraceLimit = 25;
  const { stack = "" } = new Error();
  Error.stackTraceLimit = stackTraceLimit;
  const drawn = [...stack.matchAll(/\b(dropout|random[A-Z]\w*|truncatedNormal|multinomial|rand)_ /g)].at(-1);
  return drawn && `tf.${drawn[1]}`;
}
