// One decoder in a process of its own, so that its memory is its own. Reads one JSON command a line, answers in one:
//   open { folder, threads, prepack?, roundInputs?, wholeHead? }    maps the weights of a model folder, compiles;
//                                                       wholeHead: a tied head reads the words instead of its packed copy
//   generate { prompts, tokens }                        greedy; ms until the first token and of those after it
//   memory {}                                           of the process, MB
//   logits { ids, file }                                [T, V] float32 of all positions, appended to the file
import { appendFileSync, readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { readClaraFolder } from "../../apps/rag-master/src/clara-folder.ts";
import { createEngine, type Decoder, type Engine, type Params } from "../../packages/engine/src/index.ts";
import { type DecoderConfig, decodeNext, decoderLogits, nestDecoder } from "../../packages/model/src/index.ts";
import { tf } from "../../packages/tensor/src/index.ts";

type Tensors = Readonly<Record<string, tf.Tensor>>;

interface Opened {
  readonly engine: Engine;
  readonly params: Params;
  readonly config: DecoderConfig;
  readonly decoder: Decoder;
  readonly options: { readonly prepack?: boolean; readonly roundInputs?: boolean };
  readonly wholeHead: boolean;
}

type OpenCommand = { folder: string; threads: number; wholeHead?: boolean } & Opened["options"];

let opened: Opened | undefined;

/** States [B, T, D] of new tokens, and what the cache is to keep. */
function read(inputs: Tensors, tensors: Tensors, { config, wholeHead }: Pick<Opened, "config" | "wholeHead">) {
  const own = Object.entries(tensors).filter(([name]) => !(wholeHead && name.startsWith("head.")));
  const params = nestDecoder(Object.fromEntries(own));
  const caches = params.layers.map((_, i) => ({
    keys: inputs[`keys.${i}`] as tf.Tensor4D,
    values: inputs[`values.${i}`] as tf.Tensor4D,
  }));
  const [ids, lengths] = [inputs.ids as tf.Tensor2D, inputs.lengths as tf.Tensor1D];
  return { params, ...decodeNext(params, { ids, lengths, caches }, config) };
}

const commands: Readonly<Record<string, (command: never) => Promise<object>>> = {
  async open({ folder, threads, wholeHead = false, ...options }: OpenCommand) {
    const { decoder: config, paths } = await readClaraFolder(folder);
    const engine = await createEngine({ prefer: "compiled", threads });
    const params = await engine.params({ file: paths.base });
    const decoder = await engine.decoder({
      ...config,
      ...options,
      params,
      step: (inputs, tensors) => {
        const { params, states, keys, values } = read(inputs, tensors, { config, wholeHead });
        const [B, T, D] = states.shape;
        const last: tf.Tensor2D = tf.reshape(tf.slice(states, [0, T - 1, 0], [B, 1, D]), [B, D]);
        const made = [...keys.map((x, i) => [`keys.${i}`, x]), ...values.map((x, i) => [`values.${i}`, x])];
        return { logits: decoderLogits(params, last), ...Object.fromEntries(made) };
      },
    });
    opened = { engine, params, config, decoder, options, wholeHead };
    return { engine: engine.details };
  },

  async generate({ prompts, tokens }: { prompts: number[][]; tokens: number }) {
    const ids = prompts.map((): number[] => []);
    const started = performance.now();
    let first = 0;
    for await (const { row, id } of opened!.decoder.generate(prompts, { maxTokens: tokens })) {
      ids[row]!.push(id);
      if (first === 0) first = performance.now();
    }
    const ended = performance.now();
    return { ids, promptMs: first - started, tokenMs: (ended - first) / Math.max(1, tokens - 1) };
  },

  async memory() {
    const status = readFileSync("/proc/self/status", "utf8");
    const mb = (name: string): number => Math.round(Number(new RegExp(`${name}:\\s+(\\d+)`).exec(status)![1]) / 1024);
    return { peakMb: mb("VmHWM"), ownMb: mb("RssAnon"), fileMb: mb("RssFile") };
  },

  async logits({ ids, file }: { ids: number[]; file: string }) {
    const { engine, params, config, options, wholeHead } = opened!;
    const { layers, keyHeads, headWidth, width } = config;
    const names = Array.from({ length: layers }, (_, i) => [`keys.${i}`, `values.${i}`]).flat();
    const T = ids.length;
    const cache = Object.fromEntries(names.map((name) => [name, { shape: [1, keyHeads, 1, headWidth] }]));
    const specs = {
      ids: { shape: [1, T], dtype: "int32" },
      lengths: { shape: [1], dtype: "int32" },
      ...cache,
    } as const;
    const compiled = await engine.compile(
      (inputs, tensors) => {
        const { params, states } = read(inputs, tensors, { config, wholeHead });
        return { logits: decoderLogits(params, tf.reshape(states, [T, width])) };
      },
      specs,
      { roundInputs: true, ...options, params },
    );
    const empty = { data: new Float32Array(keyHeads * headWidth), shape: [1, keyHeads, 1, headWidth] };
    const { logits } = await compiled.run({
      ids: { data: Int32Array.from(ids), shape: [1, T] },
      lengths: { data: Int32Array.of(0), shape: [1] },
      ...Object.fromEntries(names.map((name) => [name, empty])),
    });
    const { buffer, byteOffset, byteLength } = logits!.data as Float32Array;
    appendFileSync(file, new Uint8Array(buffer, byteOffset, byteLength));
    await compiled.dispose();
    return {};
  },
};

for await (const line of createInterface({ input: process.stdin })) {
  const { do: name, ...command } = JSON.parse(line);
  const spent = process.cpuUsage();
  const started = performance.now();
  const answer = await commands[name]!(command as never).catch((error: unknown) => ({ error: String(error) }));
  const { user, system } = process.cpuUsage(spent);
  console.log(JSON.stringify({ ms: performance.now() - started, cpuMs: (user + system) / 1000, ...answer }));
}
await opened?.engine.dispose();
