import { dequantizeMemory, quantizeMemory } from "@clara/compressor";
import { tf } from "@clara/tensor";
import { expect, it } from "vitest";
import { random } from "../random.ts";
import { roundedMemories } from "./rounded-memories.ts";

it("rounds each number to the nearest of four levels of its row's size", () => {
  // Rows of size 1 and 10: the levels are ±0.4979 and ±1.4936 times that.
  const row = [1.8, -0.2, 0.3, -0.8];
  const size = Math.sqrt(row.reduce((sum, x) => sum + x * x, 0) / 4);
  const unit = row.map((x) => x / size);
  const rounded = roundedMemories(tf.tensor2d([unit, unit.map((x) => 10 * x)]));
  const levels = [1.49355, -0.49785, 0.49785, -0.49785];
  const numbers = [...rounded.dataSync()];
  levels.forEach((level, d) => {
    expect(numbers[d]).toBeCloseTo(level, 4);
    expect(numbers[4 + d]).toBeCloseTo(10 * level, 3);
  });
});

it("is near to what a pack gives back", () => {
  const rng = random(3);
  const width = 256;
  const row = Float32Array.from({ length: width }, () => rng.next() + rng.next() + rng.next() + rng.next() - 2);
  const memory = { rate: 1, count: 1, width, vectors: row, tokens: Uint16Array.of(1), spans: Uint32Array.of(0, 1) };
  const kept = dequantizeMemory(quantizeMemory(memory, { bits: 2 })).vectors;
  const rounded = roundedMemories(tf.tensor2d(row, [1, width])).dataSync();
  const dot = (a: ArrayLike<number>, b: ArrayLike<number>) => Array.from(a).reduce((sum, x, d) => sum + x * b[d]!, 0);
  expect(dot(kept, rounded) / Math.sqrt(dot(kept, kept) * dot(rounded, rounded))).toBeGreaterThan(0.96);
});

it("lets the gradient through as if nothing had been rounded, and leaves no tensor behind", () => {
  const weights = tf.tensor2d([[1, -2, 3]]);
  const x = tf.tensor2d([[0.1, 5, -0.4]]);
  const before = tf.memory().numTensors;
  const gradient = tf.grad((memories) => tf.sum(tf.mul(roundedMemories(memories as tf.Tensor2D), weights)))(x);
  expect([...gradient.dataSync()]).toEqual([1, -2, 3]);
  gradient.dispose();
  roundedMemories(x).dispose();
  expect(tf.memory().numTensors).toBe(before);
});

it("keeps a row of zeros finite", () => {
  expect([...roundedMemories(tf.zeros([1, 3])).dataSync()].every((x) => Math.abs(x) < 1e-5)).toBe(true);
});
