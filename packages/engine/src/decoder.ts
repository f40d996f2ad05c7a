import { ClaraError } from "@clara/core";
import { type CacheShape, cacheNames } from "./decode/cache.ts";
import type { Connection, TensorFunction } from "./engine.ts";
import { joinParams, type Params } from "./params.ts";
import type { Program } from "./program.ts";
import type { GenerateRequest, HostTensors, Prepack, Token } from "./protocol.ts";
import { sameShape } from "./size.ts";
import { bindSizes, portOf, type Specs } from "./specs.ts";
import { programOf } from "./trace/program-of.ts";

export interface DecoderOptions {
  /**
   * One step of the model over T new tokens of B sequences, with `cachedAttention` of `@clara/tensor`. Inputs: `ids` [B, T]
   * int32, `lengths` [B] int32 (tokens in the cache), and for each layer i its cache `keys.<i>` and `values.<i>` [B, G, C, K].
   * Returns a record of `logits` [B, V] of each sequence's last token, and `keys.<i>` and `values.<i>` [B, T, G·K] of the new
   * tokens: what `cachedAttention` was given as k and v.
   *
   * It is traced once with all of B, T and C open: the same program reads prompts and writes tokens.
   */
  readonly step: TensorFunction;
  /**
   * The same for prompts that are not ids: `specs` are its inputs instead of `ids`, such as embeddings ["B", "T", D]. One of
   * them has the size T, the tokens of the prompt. B is 1 in each call: prompts are read one by one.
   */
  readonly prompt?: { readonly fn: TensorFunction; readonly specs: Specs } | undefined;
  /** What the functions get as their second argument, by name. @default none */
  readonly params?: Params | readonly Params[];
  readonly layers: number;
  /** Heads of keys and values, G. */
  readonly keyHeads: number;
  /** Width of a head, K. */
  readonly headWidth: number;
  /** Slots for tokens of each sequence to begin with; doubled when they are full. @default 64 */
  readonly leastSlots?: number;
  /** Most tokens of a sequence, prompt included: what the model can. A sequence that reaches it ends. @default no limit */
  readonly mostSlots?: number;
  /** As for `compile`. With `prompt` it makes two copies; without it there is one, for other functions too. @default true */
  readonly prepack?: Prepack;
  /** As for `compile`; here a token is one row. The weights' own rounding is far coarser in 4 bits, alike in 8. @default true */
  readonly roundInputs?: boolean | undefined;
}

/** Ids, or inputs of the `prompt` function for one sequence. */
export type Prompt = readonly number[] | Int32Array | HostTensors;

export interface GenerateOptions {
  /** Most tokens of each answer. */
  readonly maxTokens: number;
  /** Ids that end an answer. They are its last token. @default none */
  readonly stop?: readonly number[] | undefined;
  /** 0 always takes the most probable token; above, tokens are drawn. @default 0 */
  readonly temperature?: number | undefined;
  /** Draws among the most probable tokens that have this probability together; above 0, at most 1. @default 1 */
  readonly topP?: number | undefined;
  /**
   * Integer. Each sequence draws from numbers of its own that begin with the seed: the same in whatever batch. A list has
   * one for each prompt, to draw several answers to one. @default 0
   */
  readonly seed?: number | readonly number[] | undefined;
  /** Also tells each token's log-probability (at temperature 1), which costs a pass over the vocabulary. @default false */
  readonly logProbabilities?: boolean | undefined;
  /** Stops between two tokens. */
  readonly signal?: AbortSignal | undefined;
}

/** Writes sequences token by token, in an engine's worker; only ids cross to it and back. */
export interface Decoder {
  /**
   * Tokens as they come: those of one sequence in order, sequences in between each other. Leaving the loop stops the worker
   * after its current token. Other requests to the engine wait meanwhile.
   *
   * A batch gives what its prompts give alone, but for rounding where two tokens are equally probable.
   *
   * @throws ClaraError "shape" for an empty prompt or inputs that are not as specified, "input" for one that is longer than
   *   `mostSlots`, "option" for impossible options, all at once; while running "aborted" as soon as the signal fires, and
   *   "engine" when the step fails (an id outside the vocabulary) or gives NaN.
   */
  generate(prompts: readonly Prompt[], options: GenerateOptions): AsyncIterable<Token>;
  /** The ids of each answer, in the order of the prompts. */
  generateAll(prompts: readonly Prompt[], options: GenerateOptions): Promise<number[][]>;
  /** Frees the functions in the worker. */
  dispose(): Promise<void>;
}

const where = "decoder.generate";

export async function createDecoder(
  connection: Connection,
  {
    step,
    prompt,
    params = [],
    layers,
    keyHeads,
    headWidth,
    leastSlots = 64,
    mostSlots = Infinity,
    prepack = true,
    roundInputs = true,
  }: DecoderOptions,
): Promise<Decoder> {
  const cache: CacheShape = { layers, keyHeads, headWidth, leastSlots: Math.min(leastSlots, mostSlots), mostSlots };
  for (const [name, value] of Object.entries(cache)) {
    if ((value >= 1 && Number.isInteger(value)) || (name === "mostSlots" && value === Infinity)) continue;
    throw new ClaraError("option", `engine.decoder: ${name} must be an integer of at least 1, got ${value}`);
  }
  if (prompt && !Object.values(prompt.specs).some(({ shape }) => shape.includes("T"))) {
    throw new ClaraError(
      "option",
      'engine.decoder: prompt.specs need an input with the size "T", the prompt\'s tokens',
    );
  }
  const stores = [params].flat() as Params[];
  const options = {
    weights: joinParams("engine.decoder", stores),
    kernelSet: connection.engine === "compiled" ? "fused" : "composed",
  } as const;
  const compile = async (name: string, fn: TensorFunction, specs: Specs): Promise<Program> => {
    const all = { ...specs, ...cacheSpecs(cache) };
    const { program } = await programOf(fn, all, options);
    checkOutputs(name, program, cache);
    return program;
  };
  const programs = {
    step: await compile("step", step, { ids: { shape: ["B", "T"], dtype: "int32" } }),
    ...(prompt && { prompt: await compile("prompt", prompt.fn, prompt.specs) }),
  };
  const id = connection.nextId();
  const ids = stores.map((store) => store.id);
  await connection.request("decoder", () => ({
    id,
    ...programs,
    cache,
    params: ids,
    options: { prepack, roundInputs },
  }));

  const generate: Decoder["generate"] = (prompts, { signal, ...options }) => {
    const body = { id, ...readPrompts(prompts, prompt?.specs, mostSlots), ...readOptions(options, prompts.length) };
    return stream((part, signal) => connection.request("generate", () => body, { part, signal }), signal);
  };
  return {
    generate,
    async generateAll(prompts, options) {
      const answers = prompts.map((): number[] => []);
      for await (const { row, id } of generate(prompts, options)) answers[row]!.push(id);
      return answers;
    },
    async dispose() {
      await connection.request("release", () => ({ id }));
    },
  };
}

function cacheSpecs(cache: CacheShape): Specs {
  const shape = ["B", cache.keyHeads, "C", cache.headWidth];
  const arrays = cacheNames(cache).map((name) => [name, { shape }]);
  return { lengths: { shape: ["B"], dtype: "int32" }, ...Object.fromEntries(arrays) };
}

/** @throws ClaraError "shape" when a function does not return what a step must. */
function checkOutputs(name: string, program: Program, cache: CacheShape): void {
  const found = new Map(program.outputs.map(({ name, value }) => [name, program.values[value]!]));
  for (const output of ["logits", ...cacheNames(cache)]) {
    const port = found.get(output);
    const isLogits = output === "logits";
    // Any number of words will do.
    const words = typeof port?.shape[1] === "number" ? port.shape[1] : -1;
    const shape = isLogits ? ["B", words] : ["B", "T", cache.keyHeads * cache.headWidth];
    if (port?.dtype === "float32" && sameShape(port.shape, portOf({ shape }).shape)) continue;
    const wanted = `${output} as float32 [${isLogits ? "B, V" : shape.join(", ")}]`;
    const got = port ? `${port.dtype} ${JSON.stringify(port.shape)}` : `only ${[...found.keys()].join(", ")}`;
    throw new ClaraError("shape", `engine.decoder: ${name} must return ${wanted}, got ${got}`);
  }
}

function readPrompts(
  prompts: readonly Prompt[],
  specs: Specs | undefined,
  mostSlots: number,
): Pick<GenerateRequest, "prompts" | "lengths"> {
  if (prompts.length === 0) throw new ClaraError("shape", `${where}: there is no prompt`);
  const lengths: number[] = [];
  const read = prompts.map((prompt, row) => {
    const ids = Array.isArray(prompt) || prompt instanceof Int32Array ? Int32Array.from(prompt) : undefined;
    const refuse = (what: string): ClaraError => new ClaraError("shape", `${where}: prompt ${row} ${what}`);
    if (ids) {
      const wrong = ids.findIndex((id, i) => id !== (prompt as ArrayLike<number>)[i] || id < 0);
      if (wrong >= 0) throw refuse(`must be ids, and its token ${wrong} is ${(prompt as ArrayLike<number>)[wrong]}`);
      lengths.push(ids.length);
    } else if (!specs) {
      throw refuse("must be ids: the decoder has been made without a function for other prompts");
    }
    const inputs = prompt as HostTensors;
    const sizes = ids ? {} : bindSizes(`${where}: prompt ${row}`, specs!, inputs);
    if ((sizes.B ?? 1) !== 1) throw refuse(`must be one sequence, B is ${sizes.B}: pass one record for each`);
    if (!ids) lengths.push(sizes.T!);
    const length = lengths[row]!;
    if (length === 0) throw refuse("is empty: the first token needs at least one before it");
    if (length > mostSlots) {
      throw new ClaraError("input", `${where}: prompt ${row} has ${length} tokens, at most ${mostSlots} can be read`);
    }
    return ids ?? { inputs, sizes };
  });
  return { prompts: read, lengths };
}

function readOptions(
  { maxTokens, stop = [], temperature = 0, topP = 1, seed = 0, logProbabilities = false }: GenerateOptions,
  rows: number,
): Omit<GenerateRequest, "id" | "prompts" | "lengths"> {
  const refuse = (what: string): ClaraError => new ClaraError("option", `${where}: ${what}`);
  if (!(maxTokens >= 1)) throw refuse(`maxTokens must be at least 1, got ${maxTokens}`);
  if (!(temperature >= 0 && temperature < Infinity)) {
    throw refuse(`temperature must be a number of at least 0, got ${temperature}`);
  }
  if (!(topP > 0 && topP <= 1)) throw refuse(`topP must be above 0 and at most 1, got ${topP}`);
  const seeds = typeof seed === "number" ? new Array<number>(rows).fill(seed) : seed;
  if (seeds.length !== rows || !seeds.every(Number.isInteger)) {
    throw refuse(`seed must be an integer, or a list of ${rows}, got ${JSON.stringify(seed)}`);
  }
  return { maxTokens: Math.floor(maxTokens), stop, temperature, topP, seeds, logProbabilities };
}

/** The parts of a request as they come. It starts with the first look, and is stopped when nobody looks any more. */
async function* stream(
  start: (part: (tokens: unknown) => void, signal: AbortSignal) => Promise<unknown>,
  signal: AbortSignal | undefined,
): AsyncGenerator<Token> {
  const left = new AbortController();
  let waiting: Token[] = [];
  let wake = (): void => {};
  let ended = false;
  const take = (tokens: unknown): void => {
    waiting.push(...(tokens as Token[]));
    wake();
  };
  const end = (): void => {
    ended = true;
    wake();
  };
  const answer = start(take, signal ? AbortSignal.any([signal, left.signal]) : left.signal);
  answer.then(end, end);
  try {
    while (!ended) {
      if (waiting.length === 0) await new Promise<void>((resolve) => (wake = resolve));
      const tokens = waiting;
      waiting = [];
      yield* tokens;
    }
    if (signal?.aborted) await answer;
    yield* waiting;
    await answer;
  } finally {
    left.abort();
  }
}
