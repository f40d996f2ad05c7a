import { tf, layerNorm, gelu, attention, linear } from "@clara/tensor";
import { createEngine } from "../src/engine.ts";
const L = 6, D = 384, H = 12, F = 1536, V = 30522, B = 16, T = 256, C = 64;
let seed = 1; const rnd = () => { seed = (seed * 1664525 + 1013904223) >>> 0; return seed / 4294967296; };
const randn = (shape: number[], std = 0.05) => ({ shape, data: Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => std * Math.sqrt(-2 * Math.log(rnd() + 1e-12)) * Math.cos(6.283185 * rnd())) });
const ones = (shape: number[]) => ({ shape, data: new Float32Array(shape[0]!).fill(1) });
const zeros = (shape: number[]) => ({ shape, data: new Float32Array(shape[0]!) });
const w: any = { words: randn([V, D]), positions: randn([512, D]), g: ones([D]), b: zeros([D]), head: randn([D, C], 0.1), headb: zeros([C]) };
for (let l = 0; l < L; l++) { for (const k of "qkvo") { w[`${l}.${k}`] = randn([D, D]); w[`${l}.${k}b`] = zeros([D]); } w[`${l}.in`] = randn([D, F]); w[`${l}.inb`] = zeros([F]); w[`${l}.out`] = randn([F, D]); w[`${l}.outb`] = zeros([D]); for (const n of "12") { w[`${l}.g${n}`] = ones([D]); w[`${l}.b${n}`] = zeros([D]); } }
const encode = (x: any, p: any) => {
  const [B, T] = x.ids.shape;
  let h: any = tf.add(tf.gather(p.words, x.ids), tf.slice(p.positions, [0, 0], [T, D]));
  h = layerNorm(h, p.g, p.b, 1e-12);
  for (let l = 0; l < L; l++) {
    const lin = (h: any, k: string) => linear(h, p[`${l}.${k}`], { bias: p[`${l}.${k}b`] });
    const a = lin(attention(lin(h, "q"), lin(h, "k"), lin(h, "v"), { heads: H, mask: x.mask }), "o");
    h = layerNorm(tf.add(h, a), p[`${l}.g1`], p[`${l}.b1`], 1e-12);
    h = layerNorm(tf.add(h, lin(gelu(lin(h, "in")), "out")), p[`${l}.g2`], p[`${l}.b2`], 1e-12);
  }
  return h;
};
const loss = (x: any, p: any) => {
  const [B, T] = x.ids.shape;
  const h = encode(x, p); const m = tf.reshape(tf.cast(x.mask, "float32"), [B, T, 1]);
  const pooled = tf.div(tf.sum(tf.mul(h, m), 1), tf.sum(m, 1));
  const z = tf.add(tf.matMul(pooled as any, p.head), p.headb);
  return tf.neg(tf.mean(tf.sum(tf.mul(tf.logSoftmax(z as any), tf.oneHot(x.labels, C, 1, 0, "float32")), -1)));
};
const mode = process.argv[2] ?? "fwd", threads = +(process.argv[3] ?? 2), micro = +(process.argv[4] ?? 1), prefer = (process.argv[5] ?? "compiled") as any;
const sizes = process.env.FIXED ? [B / micro, T] : ["B", "T"] as any;
const t0 = performance.now();
const engine = await createEngine({ prefer, threads });
const t1 = performance.now();
const batch = { ids: { shape: [B, T], data: Int32Array.from({ length: B * T }, () => Math.floor(rnd() * V)) }, mask: { shape: [B, T], data: new Int32Array(B * T).fill(1) } };
for (let b = 0; b < B; b++) for (let t = Math.floor(T * (0.7 + 0.3 * rnd())); t < T; t++) batch.mask.data[b * T + t] = 0;
const labels = { shape: [B], data: Int32Array.from({ length: B }, () => Math.floor(rnd() * C)) };
const specs: any = { ids: { shape: sizes, dtype: "int32" }, mask: { shape: sizes, dtype: "int32" } };
const med = (a: number[]) => a.sort((x, y) => x - y)[a.length >> 1]!.toFixed(0);
if (mode === "fwd") {
  const params = await engine.params(w);
  const t2 = performance.now();
  const f = await engine.compile(encode, specs, { params });
  console.log(engine.details, "start", (t1 - t0).toFixed(0), "params", (t2 - t1).toFixed(0), f.milliseconds);
  const ts: number[] = [];
  for (let i = 0; i < 6; i++) { const t = performance.now(); await f.run(batch); ts.push(performance.now() - t); }
  console.log("fwd", ts.map((x) => x.toFixed(0)).join(" "), "median", med(ts.slice(1)));
} else {
  const params = await engine.params(w, { trainable: true });
  const tr = await engine.trainer(loss, { ...specs, labels: { shape: [sizes[0]], dtype: "int32" } }, { params });
  const ts: number[] = [], us: number[] = [];
  const n = B / micro;
  for (let i = 0; i < 5; i++) {
    const t = performance.now(); let l = 0;
    for (let k = 0; k < micro; k++) {
      const cut = (x: any, w: number) => ({ shape: [n, ...x.shape.slice(1)], data: x.data.slice(k * n * w, (k + 1) * n * w) });
      l += (await tr.accumulate({ ids: cut(batch.ids, T), mask: cut(batch.mask, T), labels: cut(labels, 1) })).loss / micro;
    }
    const u = performance.now();
    const s = await tr.step({ learningRate: 1e-4, clipNorm: 1, divisor: micro });
    us.push(performance.now() - u); ts.push(performance.now() - t); console.log(l, s.norm);
  }
  console.log("step", ts.map((x) => x.toFixed(0)).join(" "), "update", us.map((x) => x.toFixed(0)).join(" "));
}
console.log("maxrss MB", process.resourceUsage().maxRSS >> 10);
await engine.dispose();
