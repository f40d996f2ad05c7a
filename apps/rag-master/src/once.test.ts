import { expect, it } from "vitest";
import { once } from "./once.ts";

it("makes it at the first call, and gives the same to all", async () => {
  let made = 0;
  const get = once(async () => ({ number: ++made }));
  expect([made, get.begun()]).toEqual([0, undefined]);
  const [first, second] = await Promise.all([get(), get()]);
  expect([made, second, await get.begun()]).toEqual([1, first, first]);
});
