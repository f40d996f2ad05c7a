import { ClaraError, type Weights } from "@clara/core";
import { tf } from "@clara/tensor";
import type { EncoderEngine, EngineParams } from "./engine.ts";

interface Store extends EngineParams {
  readonly arrays: Weights;
}

/** An engine that computes at once, in this thread: what an encoder asks of one, and what it leaves behind. */
export function eagerEngine(): EncoderEngine<Store> & { readonly log: string[]; readonly alive: Set<string> } {
  const log: string[] = [];
  const alive = new Set<string>();
  let count = 0;
  const live = (what: string): { dispose(): Promise<void> } => {
    const name = `${what} ${++count}`;
    alive.add(name);
    return {
      async dispose() {
        if (!alive.delete(name)) throw new ClaraError("engine", `${name} has been disposed`);
      },
    };
  };
  return {
    log,
    alive,
    async params(arrays) {
      log.push(`params ${Object.keys(arrays).length}`);
      return { arrays, ...live("params") };
    },
    async compile(fn, specs, { params, key }) {
      log.push(`compile ${key.split("\n")[0]}`);
      const arrays: Weights = Object.assign({}, ...params.map((store) => store.arrays));
      const tensors = (from: Weights): Record<string, tf.Tensor> =>
        Object.fromEntries(Object.entries(from).map(([name, { data, shape }]) => [name, tf.tensor(data, [...shape])]));
      return {
        async run(inputs) {
          return tf.tidy(() => {
            const given = Object.entries(inputs).map(([name, { data, shape }]) => {
              return [name, tf.tensor(data, [...shape], specs[name]!.dtype)];
            });
            const results = fn(Object.fromEntries(given), tensors(arrays));
            return Object.fromEntries(Object.entries(results).map(([name, y]) => [name, { data: y.dataSync() }]));
          }) as never;
        },
        ...live("compiled"),
      };
    },
  };
}
