import { tf } from "../tf.ts";

/**
 * Runs `fn`, disposes the tensors in what it returns, and counts the tensors that remain. Await it when `fn` is async.
 *
 * @throws Error when `fn` left tensors behind, or disposed tensors that it did not make.
 */
export function expectNoLeaks(fn: () => Promise<unknown>): Promise<void>;
export function expectNoLeaks(fn: () => unknown): void;
export function expectNoLeaks(fn: () => unknown): void | Promise<void> {
  const before = tf.memory().numTensors;
  const check = (result: unknown): void => {
    tf.dispose(result as tf.TensorContainer);
    const more = tf.memory().numTensors - before;
    if (more > 0) throw new Error(`expectNoLeaks: ${more} more tensors after the call than before`);
    if (more < 0) {
      throw new Error(
        `expectNoLeaks: ${-more} tensors fewer after the call: it disposed or returned what it was given`,
      );
    }
  };
  const result = fn();
  return result instanceof Promise ? result.then(check) : check(result);
}
