import type { RequestKind, Requests } from "../protocol.ts";
import { ortRunner } from "./ort-runner.ts";
import { replayRunner } from "./replay-runner.ts";
import type { Loaded, Param, Runner } from "./runner.ts";
import { checkFinite, createStore, type Store } from "./stores.ts";
import { createTrainer, type Trainer } from "./trainer.ts";

type Handlers = {
  readonly [K in RequestKind]: (ask: Requests[K]["ask"]) => Promise<Requests[K]["answer"]>;
};

let runner: Runner | undefined;
const stores = new Map<number, Store>();
const programs = new Map<number, Loaded>();
const trainers = new Map<number, Trainer>();

/** What the worker does for each request. */
export const handlers: Handlers & { close(): Promise<void> } = {
  async open({ engine, settings }) {
    runner = engine === "compiled" ? await ortRunner(settings) : await replayRunner(engine, settings);
    return { details: runner.details };
  },
  async params({ id, source, trainable }) {
    const store = await createStore(source, trainable);
    stores.set(id, store);
    return Object.fromEntries([...store].map(([name, { shape, dtype }]) => [name, { shape, dtype }]));
  },
  async read({ id, names }) {
    const store = stores.get(id)!;
    return Object.fromEntries(
      (names ?? [...store.keys()]).map((name) => {
        const { data, shape } = store.get(name)!;
        if (!data) throw new Error(`${name} is in a mapped file; read it from there`);
        return [name, { data: data.slice(), shape }];
      }),
    );
  },
  async write({ id, values }) {
    for (const [name, { data }] of Object.entries(values)) checkFinite(name, data);
    for (const [name, { data }] of Object.entries(values)) stores.get(id)!.get(name)!.data!.set(data as Float32Array);
    return undefined;
  },
  async load({ id, program, params, options }) {
    const started = performance.now();
    programs.set(id, await runner!.load(program, join(params), options));
    return { milliseconds: performance.now() - started };
  },
  run: ({ id, inputs, sizes }) => programs.get(id)!.run(inputs, sizes),
  async release({ id }) {
    stores.delete(id);
    await programs.get(id)?.release();
    programs.delete(id);
    await trainers.get(id)?.release();
    trainers.delete(id);
    return undefined;
  },
  async trainer(ask) {
    trainers.set(ask.id, await createTrainer(runner!, join(ask.params), ask));
    return undefined;
  },
  accumulate: ({ id, inputs, sizes }) => trainers.get(id)!.accumulate(inputs, sizes),
  step: ({ id, rates }) => trainers.get(id)!.step(rates),
  async state({ id }) {
    return trainers.get(id)!.state();
  },
  async restore({ id, state }) {
    trainers.get(id)!.restore(state);
    return undefined;
  },
  async close() {
    for (const part of [...programs.values(), ...trainers.values()]) await part.release();
  },
};

/** The parameters of several stores, by name. */
function join(ids: readonly number[]): ReadonlyMap<string, Param> {
  return new Map(ids.flatMap((id) => [...stores.get(id)!]));
}

