import { ClaraError } from "@clara/core";
import type { Program } from "../program.ts";
import type { HostTensor, RequestKind, Requests } from "../protocol.ts";
import { type Call, createDecoder, type Decoder } from "./decoder.ts";
import { explain } from "./explain.ts";
import { ortRunner } from "./ort-runner.ts";
import { keep, recall } from "./program-cache.ts";
import { replayRunner } from "./replay-runner.ts";
import type { Loaded, Param, Runner } from "./runner.ts";
import { checkFinite, createStore, numbersOf, type Store } from "./stores.ts";
import { createTrainer, type Trainer } from "./trainer.ts";
import { tryOut } from "./try-out.ts";

type Handlers = {
  readonly [K in RequestKind]: (ask: Requests[K]["ask"], call: Call) => Promise<Requests[K]["answer"]>;
};

let runner: Runner | undefined;
let cacheFolder: string | undefined;
const stores = new Map<number, Store>();
const programs = new Map<number, { readonly loaded: Loaded; readonly program: Program }>();
const trainers = new Map<number, { readonly trainer: Trainer; readonly program: Program }>();
const decoders = new Map<number, Decoder>();

/** What the worker does for each request. */
export const handlers: Handlers & { close(): Promise<void> } = {
  async open({ engine, settings }) {
    cacheFolder = settings.cacheFolder;
    runner = engine === "compiled" ? await ortRunner(settings) : await replayRunner(engine, settings);
    const { provider = "cpu" } = settings;
    if (engine === "compiled" && provider !== "cpu") await tryOut(runner, provider);
    return { details: runner.details };
  },
  async params({ id, source, trainable }) {
    const store = await createStore(source, trainable);
    stores.set(id, store);
    return Object.fromEntries([...store].map(([name, { shape, dtype }]) => [name, { shape, dtype }]));
  },
  async read({ id, names }) {
    const store = find(stores, id, "parameter store");
    const copies = (names ?? [...store.keys()]).map(async (name): Promise<[string, HostTensor]> => {
      const param = store.get(name)!;
      const data = await numbersOf(param);
      return [name, { data: param.data ? data.slice() : data, shape: param.shape }];
    });
    return Object.fromEntries(await Promise.all(copies));
  },
  async write({ id, values }) {
    const store = find(stores, id, "parameter store");
    // All are checked before the first is written.
    for (const [name, { data }] of Object.entries(values)) checkFinite("params.write", name, data);
    for (const [name, { data }] of Object.entries(values)) store.get(name)!.data!.set(data as Float32Array);
    return undefined;
  },
  recall: async ({ key }) => (cacheFolder === undefined ? undefined : recall(cacheFolder, key)),
  async keep({ key, value }) {
    if (cacheFolder !== undefined) await keep(cacheFolder, key, value);
    return undefined;
  },
  async load({ id, program, params, options }) {
    const started = performance.now();
    const loaded = await runner!.load(program, join(params), options);
    programs.set(id, { loaded, program });
    return { milliseconds: performance.now() - started };
  },
  async run({ id, inputs, sizes }) {
    const { loaded, program } = find(programs, id, "compiled function");
    return loaded.run(inputs, sizes).catch((error) => explain(error, "compiled function", program, sizes));
  },
  async release({ id }) {
    stores.delete(id);
    await programs.get(id)?.loaded.release();
    programs.delete(id);
    await trainers.get(id)?.trainer.release();
    trainers.delete(id);
    await decoders.get(id)?.release();
    decoders.delete(id);
    return undefined;
  },
  async trainer(ask) {
    trainers.set(ask.id, { trainer: await createTrainer(runner!, join(ask.params), ask), program: ask.program });
    return undefined;
  },
  async accumulate({ id, inputs, sizes }) {
    const { trainer, program } = find(trainers, id, "trainer");
    return trainer.accumulate(inputs, sizes).catch((error) => explain(error, "trainer.accumulate", program, sizes));
  },
  async forget({ id }) {
    find(trainers, id, "trainer").trainer.forget();
    return undefined;
  },
  async step({ id, rates }) {
    return find(trainers, id, "trainer").trainer.step(rates);
  },
  async state({ id }) {
    return find(trainers, id, "trainer").trainer.state();
  },
  async restore({ id, state }) {
    find(trainers, id, "trainer").trainer.restore(state);
    return undefined;
  },
  async decoder(ask) {
    decoders.set(ask.id, await createDecoder(runner!, join(ask.params), ask));
    return undefined;
  },
  async generate(ask, call) {
    return find(decoders, ask.id, "decoder").generate(ask, call);
  },
  async close() {
    for (const { loaded } of programs.values()) await loaded.release();
    for (const { trainer } of trainers.values()) await trainer.release();
    for (const decoder of decoders.values()) await decoder.release();
  },
};

/** The parameters of several stores, by name. */
function join(ids: readonly number[]): ReadonlyMap<string, Param> {
  return new Map(ids.flatMap((id) => [...find(stores, id, "parameter store")]));
}

function find<T>(among: ReadonlyMap<number, T>, id: number, what: string): T {
  const found = among.get(id);
  if (found !== undefined) return found;
  throw new ClaraError(
    "engine",
    `the ${what} is not in this worker: it has been disposed, or belongs to another engine`,
  );
}
