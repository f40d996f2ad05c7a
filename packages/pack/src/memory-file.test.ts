import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type MemoryForm, memoryBytes, memoryFile, openMemories } from "./memory-file.ts";
import type { QuantizedMemory } from "./types.ts";

const join = (pieces: Iterable<Uint8Array>): Uint8Array => Uint8Array.from(Buffer.concat([...pieces]));

function memoryOf(form: MemoryForm, spans: readonly number[], last: number, seed = 0): QuantizedMemory {
  const count = spans.length / 2;
  const { rate, width, bits } = form;
  return {
    ...form,
    count,
    values: Int8Array.from({ length: count * Math.ceil((width * bits) / 8) }, (_, i) => seed + 37 * i),
    scales: Uint16Array.from({ length: count }, (_, m) => 0x3c00 + seed + m),
    tokens: Uint16Array.from({ length: count }, (_, m) => (m < count - 1 ? rate : last)),
    spans: Uint32Array.from(spans),
  };
}

describe("the file of memories", () => {
  it("holds 64 bytes of values, 2 of scale and 1 of span for a vector of 128 numbers in 4 bits", () => {
    const form = { rate: 16, width: 128, bits: 4 } as const;
    // As a passage's are: a window of the title alone, then windows that touch or have a space between them, [SEP] alone.
    const memory = memoryOf(form, [0, 0, 0, 70, 71, 150, 150, 213, 0, 0], 3);
    const bytes = join(memoryFile([memory], form));
    expect(memoryBytes([memory])).toBe(5 * (64 + 2 + 1) + 2);
    expect(bytes).toHaveLength(32 + memoryBytes([memory]));
    expect([...bytes.subarray(-7)]).toEqual([5, 13, 254, 140, 159, 126, 254]);
    expect(openMemories(bytes, 1, form)!(0)).toEqual(memory);
  });

  it("gives back any spans, counts, widths, rates and last windows", () => {
    const place = fc.oneof(
      fc.nat(300),
      fc.nat(0xffffffff),
      fc.constantFrom(0, 1, 126, 127, 128, 16383, 16384, 0xffffffff),
    );
    const spans = fc.array(fc.tuple(place, place), { maxLength: 200 });
    fc.assert(
      fc.property(
        fc.array(fc.tuple(spans, fc.nat(1000)), { minLength: 1, maxLength: 5 }),
        fc.integer({ min: 1, max: 9 }),
        fc.integer({ min: 1, max: 300 }),
        fc.constantFrom(2 as const, 4 as const, 8 as const),
        (passages, width, rate, bits) => {
          const form = { width, rate, bits };
          const memories = passages.map(([pairs, last], i) => memoryOf(form, pairs.flat(), 1 + (last % rate), i));
          const bytes = join(memoryFile(memories, form));
          expect(bytes).toHaveLength(32 + memoryBytes(memories));
          const open = openMemories(bytes, memories.length, form)!;
          for (const [at, memory] of memories.entries()) expect(open(at)).toEqual(memory);
        },
      ),
      { seed: 11, numRuns: 100 },
    );
  });

  it("says what is wrong with bytes that were changed, or opens them: it never reads beyond them", () => {
    const form = { rate: 16, width: 5, bits: 4 } as const;
    const memories = [0, 1, 2].map((i) => memoryOf(form, [0, 0, 0, 70, 71, 150, 9, 8, 300, 1000], 1 + i, i));
    const whole = join(memoryFile(memories, form));
    let opened = 0;
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat(whole.length - 1), fc.nat(255)), { minLength: 1, maxLength: 3 }),
        fc.option(fc.nat(whole.length), { freq: 3 }),
        (changes, cut) => {
          const bytes = Uint8Array.from(whole);
          for (const [at, value] of changes) bytes[at] = value;
          let open: ReturnType<typeof openMemories>;
          try {
            open = openMemories(bytes.slice(0, cut ?? whole.length), 3, form);
          } catch (error) {
            expect((error as Error).message).toMatch(/^(needs|ends|holds|memory \d)/);
            return;
          }
          opened++;
          for (let at = 0; open && at < 3; at++) {
            const { count, values, scales, tokens, spans } = open(at);
            expect([values.length, scales.length, tokens.length, spans.length]).toEqual([
              3 * count,
              count,
              count,
              2 * count,
            ]);
          }
        },
      ),
      { seed: 13, numRuns: 500 },
    );
    expect(opened).toBeGreaterThan(50);
  });
});
