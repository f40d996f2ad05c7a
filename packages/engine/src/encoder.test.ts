import { execFile } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { promisify } from "node:util";
import { ClaraError, type Weights } from "@clara/core";
import { afterAll, describe, expect, it } from "vitest";
import { createEncoder, type Encoder } from "./encoder.ts";

const tiny = { V: 20, D: 8, F: 12, positions: 9, layers: 2, heads: 2 };
const tinyOptions = { layers: 2, heads: 2, prefix: { embeddings: "embeddings", layer: "encoder.layer" } };
const encoders: Encoder[] = [];

async function open(weights: Weights = randomWeights()): Promise<Encoder> {
  const encoder = await createEncoder({ weights, ...tinyOptions, threads: 1 });
  encoders.push(encoder);
  return encoder;
}

afterAll(async () => {
  for (const encoder of encoders) await encoder.dispose();
});

describe("createEncoder", () => {
  it("computes what the formulas of BERT say, token types included", async () => {
    const encoder = await open();
    expect(encoder.width).toBe(8);
    const ids = [3, 19, 0, 7, 7];
    const types = [0, 0, 1, 1, 0];
    const states = await encoder.run({ ids: i32(ids), types: i32(types), mask: i32([1, 1, 1, 1, 1]), shape: [1, 5] });
    expect(distance(states, bert(randomWeights(), ids, types, 2, 2))).toBeLessThan(1e-5);
  });

  it("gives a sequence the same states alone, padded and beside longer ones", async () => {
    const encoder = await open();
    const alone = await encoder.run(batch([[5, 6, 7]]));
    const padded = await encoder.run(batch([[5, 6, 7], [1, 2, 3, 4, 8, 9, 10], [11]]));
    expect(padded.length).toBe(3 * 7 * 8);
    expect(distance(padded.subarray(0, 24), alone)).toBeLessThan(1e-5);
    expect(distance(padded.subarray(2 * 56, 2 * 56 + 8), await encoder.run(batch([[11]])))).toBeLessThan(1e-5);
  });

  it("answers calls made at once, each with its own states, and leaves their arrays alone", async () => {
    const encoder = await open();
    const batches = [batch([[1, 2]]), batch([[3]]), batch([[4, 5, 6], [7]])];
    const together = await Promise.all(batches.map((one) => encoder.run(one)));
    for (const [i, one] of batches.entries()) {
      expect(one.ids.length).toBe(one.shape[0] * one.shape[1]);
      expect([...together[i]!]).toEqual([...(await encoder.run(one))]);
    }
  });

  it("lets other work go on during a run", async () => {
    const encoder = await open();
    const states = encoder.run(batch(Array.from({ length: 2000 }, () => [1, 2, 3, 4, 5, 6, 7, 8, 9])));
    let turns = 0;
    let done = false;
    void states.then(() => {
      done = true;
    });
    while (!done) {
      turns++;
      await new Promise(setImmediate);
    }
    expect(turns).toBeGreaterThan(3);
  });

  it("names a missing tensor and one of another shape", async () => {
    const { "encoder.layer.1.output.dense.bias": _, ...missing } = randomWeights();
    await expect(open(missing)).rejects.toThrow(/encoder\.layer\.1\.output\.dense\.bias/);
    const misshapen = { ...randomWeights(), "embeddings.LayerNorm.weight": { shape: [7], data: new Float32Array(7) } };
    await expect(open(misshapen)).rejects.toMatchObject({
      code: "weights",
      message: "createEncoder: embeddings.LayerNorm.weight must be [8], got [7]",
    });
  });

  it("refuses heads that do not divide the width, no layers and no threads", async () => {
    const weights = randomWeights();
    for (const wrong of [{ heads: 3 }, { layers: 0 }, { threads: 0 }]) {
      await expect(createEncoder({ weights, ...tinyOptions, ...wrong })).rejects.toMatchObject({ code: "option" });
    }
  });

  it("refuses wrong lengths, too many tokens and ids or types that the model does not have", async () => {
    const encoder = await open();
    const good = batch([[1, 2]]);
    await expect(encoder.run({ ...good, mask: i32([1]) })).rejects.toMatchObject({ code: "shape" });
    await expect(encoder.run({ ...good, shape: [0, 2] })).rejects.toMatchObject({ code: "shape" });
    await expect(encoder.run(batch([[1, 2, 3, 4, 5, 6, 7, 8, 9, 10]]))).rejects.toMatchObject({ code: "shape" });
    await expect(encoder.run(batch([[1, 20]]))).rejects.toMatchObject({ code: "input" });
    await expect(encoder.run(batch([[-1, 2]]))).rejects.toMatchObject({ code: "input" });
    await expect(encoder.run({ ...good, types: i32([0, 2]) })).rejects.toMatchObject({ code: "input" });
    expect((await encoder.run(good)).length).toBe(16);
  });

  it("stops for a signal before, while waiting and while running, and goes on with the next", async () => {
    const encoder = await open();
    const fired = AbortSignal.abort();
    await expect(encoder.run(batch([[1]]), { signal: fired })).rejects.toMatchObject({ code: "aborted" });
    const first = new AbortController();
    const second = new AbortController();
    const running = encoder.run(batch([[1, 2]]), { signal: first.signal });
    const waiting = encoder.run(batch([[3]]), { signal: second.signal });
    const last = encoder.run(batch([[4]]));
    second.abort();
    first.abort();
    await expect(running).rejects.toMatchObject({ code: "aborted" });
    await expect(waiting).rejects.toMatchObject({ code: "aborted" });
    expect([...(await last)]).toEqual([...(await encoder.run(batch([[4]])))]);
  });

  it("rejects unfinished and later runs when disposed, and can be disposed twice", async () => {
    const encoder = await open();
    const unfinished = [encoder.run(batch([[1]])), encoder.run(batch([[2]]))].map((run) => run.catch((error) => error));
    await encoder.dispose();
    await encoder.dispose();
    for (const error of await Promise.all(unfinished)) {
      expect(error).toBeInstanceOf(ClaraError);
      expect(error).toMatchObject({ code: "engine", message: expect.stringMatching(/disposed/) });
    }
    await expect(encoder.run(batch([[1]]))).rejects.toMatchObject({ code: "engine" });
  });
});

describe("createEncoder in a process of its own", () => {
  const script = (then: string): string => `
    import { createEncoder } from ${JSON.stringify(new URL("./index.ts", import.meta.url).href)};
    const weights = JSON.parse(${JSON.stringify(JSON.stringify(plain(randomWeights())))});
    for (const tensor of Object.values(weights)) tensor.data = Float32Array.from(tensor.data);
    const options = { weights, ...${JSON.stringify(tinyOptions)}, threads: 1 };
    const batch = { ids: Int32Array.of(1, 2), types: new Int32Array(2), mask: Int32Array.of(1, 1), shape: [1, 2] };
    ${then}`;
  const node = (code: string, options = "") => {
    const env = { ...process.env, NODE_OPTIONS: `--conditions=@clara/source ${options}` };
    const flags = ["--input-type=module", "--eval", code];
    return promisify(execFile)(process.execPath, flags, { env, timeout: 60_000 });
  };

  it("prints nothing and does not keep the process alive, disposed or not", async () => {
    const code = script(`
      const encoder = await createEncoder(options);
      console.log((await encoder.run(batch)).length);`);
    expect(await node(code)).toEqual({ stdout: "16\n", stderr: "" });
  });

  it("says why ONNX Runtime cannot load and what to do", async () => {
    const hook = `import { registerHooks } from "node:module";
      registerHooks({ resolve(name, context, next) {
        if (name === "onnxruntime-node") throw new Error("no library for this machine");
        return next(name, context);
      } });`;
    const code = script(
      "await createEncoder(options).catch((error) => console.log(error.code + ' ' + error.message));",
    );
    const { stdout } = await node(code, `--import=data:text/javascript,${encodeURIComponent(hook)}`);
    expect(stdout).toMatch(/^engine encoder: onnxruntime-node cannot load on .*no library for this machine.*install/);
  });
});

const shared = new URL("../../../../shared/models/all-MiniLM-L6-v2/", import.meta.url);

describe("all-MiniLM-L6-v2", () => {
  it.skipIf(!existsSync(shared))("gives the states of PyTorch (needs ../shared/models)", async () => {
    const weights = safetensors("model.safetensors");
    const golden = safetensors("golden.safetensors");
    const texts = JSON.parse(readFileSync(new URL("golden.json", shared), "utf8")) as { ids: number[] }[];
    const encoder = await createEncoder({ weights, ...tinyOptions, layers: 6, heads: 12 });
    encoders.push(encoder);
    const chosen = [0, 1, 3, 9];
    const sequences = chosen.map((i) => texts[i]!.ids);
    const { ids, types, mask, shape } = batch(sequences);
    const states = await encoder.run({ ids, types, mask, shape });
    for (const [row, i] of chosen.entries()) {
      const expected = golden[`last_hidden_state.${i}`]!.data;
      const start = row * shape[1] * 384;
      const got = states.subarray(start, start + expected.length);
      // Relative L2: the shared weights are rounded to float16, the golden states come from float32.
      const error = Math.hypot(...got.map((x, k) => x - expected[k]!)) / Math.hypot(...expected);
      expect(error).toBeLessThan(1e-3);
      const alone = await encoder.run(batch([sequences[row]!]));
      expect(distance(got, alone)).toBeLessThan(1e-4);
    }
    const exact = bert(weights, sequences[0]!, new Array(sequences[0]!.length).fill(0), 6, 12);
    expect(distance(states.subarray(0, exact.length), exact)).toBeLessThan(1e-5);
  });
});

function safetensors(name: string): Weights {
  const file = readFileSync(new URL(name, shared));
  const start = 8 + Number(file.readBigUInt64LE(0));
  const head = JSON.parse(file.subarray(8, start).toString()) as Record<
    string,
    { dtype: string; shape: number[]; data_offsets: [number, number] }
  >;
  const weights: Record<string, Weights[string]> = {};
  for (const [key, { dtype, shape, data_offsets }] of Object.entries(head)) {
    if (key === "__metadata__") continue;
    const { buffer } = Uint8Array.from(file.subarray(start + data_offsets[0], start + data_offsets[1]));
    const data = dtype === "F16" ? fromHalf(new Uint16Array(buffer)) : new Float32Array(buffer);
    weights[key] = { shape, data };
  }
  return weights;
}

function fromHalf(halves: Uint16Array): Float32Array {
  const value = (_: unknown, bits: number): number => {
    const exponent = (bits >> 10) & 31;
    const fraction = bits & 1023;
    return (bits >> 15 ? -1 : 1) * (exponent ? (1 + fraction / 1024) * 2 ** (exponent - 15) : fraction * 2 ** -24);
  };
  const values = Float32Array.from({ length: 2 ** 16 }, value);
  const out = new Float32Array(halves.length);
  for (let i = 0; i < out.length; i++) out[i] = values[halves[i]!]!;
  return out;
}

function i32(numbers: readonly number[]): Int32Array {
  return Int32Array.from(numbers);
}

function batch(sequences: readonly (readonly number[])[]) {
  const T = Math.max(...sequences.map((ids) => ids.length));
  const pad = (ids: readonly number[]) => Array.from({ length: T }, (_, t) => ids[t] ?? 0);
  return {
    ids: i32(sequences.flatMap(pad)),
    types: new Int32Array(sequences.length * T),
    mask: i32(sequences.flatMap((ids) => pad(ids.map(() => 1)))),
    shape: [sequences.length, T] as const,
  };
}

function distance(a: ArrayLike<number>, b: ArrayLike<number>): number {
  expect(a.length).toBe(b.length);
  return Array.from(a, (x, i) => Math.abs(x - b[i]!)).reduce((worst, d) => Math.max(worst, d), 0);
}

function plain(weights: Weights) {
  return Object.fromEntries(
    Object.entries(weights).map(([name, { shape, data }]) => [name, { shape, data: [...data] }]),
  );
}

function randomWeights(): Weights {
  const { V, D, F, positions, layers } = tiny;
  let seed = 1;
  const random = () => {
    seed = (Math.imul(seed, 1103515245) + 12345) >>> 0;
    return seed / 2 ** 32 - 0.5;
  };
  const shapes: Record<string, number[]> = {
    "embeddings.word_embeddings.weight": [V, D],
    "embeddings.position_embeddings.weight": [positions, D],
    "embeddings.token_type_embeddings.weight": [2, D],
    "embeddings.LayerNorm.weight": [D],
    "embeddings.LayerNorm.bias": [D],
  };
  for (let i = 0; i < layers; i++) {
    const dense: [string, number, number][] = [
      ["attention.self.query", D, D],
      ["attention.self.key", D, D],
      ["attention.self.value", D, D],
      ["attention.output.dense", D, D],
      ["intermediate.dense", F, D],
      ["output.dense", D, F],
    ];
    for (const [name, O, I] of dense) {
      shapes[`encoder.layer.${i}.${name}.weight`] = [O, I];
      shapes[`encoder.layer.${i}.${name}.bias`] = [O];
    }
    for (const name of ["attention.output.LayerNorm", "output.LayerNorm"]) {
      shapes[`encoder.layer.${i}.${name}.weight`] = [D];
      shapes[`encoder.layer.${i}.${name}.bias`] = [D];
    }
  }
  const size = (shape: number[]) => shape.reduce((a, b) => a * b);
  return Object.fromEntries(
    Object.entries(shapes).map(([name, shape]) => [
      name,
      { shape, data: Float32Array.from({ length: size(shape) }, () => 2 * random()) },
    ]),
  );
}

/** BERT in plain loops and float64, one sequence. @returns [T, D] */
function bert(weights: Weights, ids: number[], types: number[], layers: number, heads: number): number[] {
  type Rows = number[][];
  const get = (name: string) => weights[name]!.data;
  const D = weights["embeddings.word_embeddings.weight"]!.shape[1]!;
  const K = D / heads;
  const row = (name: string, i: number) => [...get(`embeddings.${name}.weight`).subarray(i * D, i * D + D)];
  const linear = (x: Rows, name: string): Rows => {
    const weight = get(`${name}.weight`);
    return x.map((v) =>
      Array.from(get(`${name}.bias`), (b, o) => v.reduce((sum, xi, i) => sum + xi * weight[o * v.length + i]!, b)),
    );
  };
  const norm = (x: Rows, name: string): Rows =>
    x.map((v) => {
      const mean = v.reduce((a, b) => a + b) / D;
      const variance = v.reduce((a, b) => a + (b - mean) ** 2, 0) / D;
      return v.map(
        (y, i) => ((y - mean) / Math.sqrt(variance + 1e-12)) * get(`${name}.weight`)[i]! + get(`${name}.bias`)[i]!,
      );
    });
  const add = (x: Rows, y: Rows): Rows => x.map((v, t) => v.map((z, i) => z + y[t]![i]!));
  let x = norm(
    ids.map((id, t) => {
      const parts = [
        row("word_embeddings", id),
        row("position_embeddings", t),
        row("token_type_embeddings", types[t]!),
      ];
      return parts.reduce((a, b) => a.map((z, i) => z + b[i]!));
    }),
    "embeddings.LayerNorm",
  );
  for (let l = 0; l < layers; l++) {
    const name = `encoder.layer.${l}`;
    const [q, k, v] = ["query", "key", "value"].map((part) => linear(x, `${name}.attention.self.${part}`)) as [
      Rows,
      Rows,
      Rows,
    ];
    const attended = q.map((qt) =>
      qt.map((_, d) => {
        const from = Math.floor(d / K) * K;
        const scores = k.map((ks) => {
          let sum = 0;
          for (let j = from; j < from + K; j++) sum += qt[j]! * ks[j]!;
          return Math.exp(sum / Math.sqrt(K));
        });
        const total = scores.reduce((a, b) => a + b);
        return scores.reduce((sum, p, s) => sum + (p / total) * v[s]![d]!, 0);
      }),
    );
    x = norm(add(x, linear(attended, `${name}.attention.output.dense`)), `${name}.attention.output.LayerNorm`);
    const inner = linear(x, `${name}.intermediate.dense`).map((u) => u.map((z) => 0.5 * z * (1 + erf(z / Math.SQRT2))));
    x = norm(add(x, linear(inner, `${name}.output.dense`)), `${name}.output.LayerNorm`);
  }
  return x.flat();
}

/** Maclaurin series, exact to float64's rounding for |x| < 4. */
function erf(x: number): number {
  if (Math.abs(x) > 4) return Math.sign(x);
  let term = x;
  let sum = x;
  for (let n = 1; Math.abs(term) > 1e-17; n++) {
    term *= (-x * x) / n;
    sum += term / (2 * n + 1);
  }
  return (2 / Math.sqrt(Math.PI)) * sum;
}
