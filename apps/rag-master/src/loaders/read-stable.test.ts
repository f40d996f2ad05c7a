import { describe, expect, it } from "vitest";
import { readStable } from "./read-stable.ts";

/** A file whose size is each of these in turn, one for every stat. */
function changing(...sizes: number[]): { open: Parameters<typeof readStable>[2]; opened: () => number } {
  let opened = 0;
  const stat = async (): Promise<never> => {
    const size = sizes.length > 1 ? sizes.shift()! : sizes[0]!;
    return { isFile: () => true, size, mtimeMs: size } as never;
  };
  const readFile = async (): Promise<never> => new Uint8Array(sizes[0]!) as never;
  const open = async (): Promise<never> => {
    opened++;
    return { stat, readFile, close: async () => {} } as never;
  };
  return { open, opened: () => opened };
}

describe("readStable", () => {
  it("reads a file again that changed meanwhile", async () => {
    const { open, opened } = changing(3, 4, 4, 4);
    expect(await readStable("file", 100, open)).toEqual({ bytes: new Uint8Array(4) });
    expect(opened()).toBe(2);
  });

  it("gives up a file that keeps changing", async () => {
    const { open, opened } = changing(3, 4, 5, 6);
    expect(await readStable("file", 100, open)).toEqual({ skip: "changed while it was read (twice)" });
    expect(opened()).toBe(2);
  });

  it("says that a file may not be read", async () => {
    const open = async (): Promise<never> => {
      throw Object.assign(new Error("no"), { code: "EACCES" });
    };
    expect(await readStable("file", 100, open)).toEqual({ skip: "not readable: permission denied" });
  });
});
