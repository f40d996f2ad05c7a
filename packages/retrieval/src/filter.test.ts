import type { Filter } from "@clara/core";
import { describe, expect, it } from "vitest";
import { compileFilter } from "./filter.ts";

const passage = { id: "p", document: "manual.md", metadata: { year: 2021, lang: "en", draft: false } };
const passes = (filter: unknown) => compileFilter(filter as Filter)(passage);

describe("compileFilter", () => {
  it.each<[Filter, boolean]>([
    [{ field: "year", op: "eq", value: 2021 }, true],
    [{ field: "year", op: "eq", value: "2021" }, false],
    [{ field: "year", op: "ne", value: 2021 }, false],
    [{ field: "absent", op: "eq", value: "x" }, false],
    [{ field: "absent", op: "ne", value: "x" }, true],
    [{ field: "absent", op: "in", value: ["x"] }, false],
    [{ field: "absent", op: "lt", value: 1 }, false],
    [{ field: "absent", op: "exists" }, false],
    [{ field: "absent", op: "exists", value: false }, true],
    [{ field: "draft", op: "exists", value: true }, true],
    [{ field: "year", op: "gte", value: 2021 }, true],
    [{ field: "year", op: "gt", value: 2021 }, false],
    [{ field: "year", op: "lt", value: "9" }, false],
    [{ field: "lang", op: "lte", value: "en" }, true],
    [{ field: "document", op: "in", value: ["manual.md"] }, true],
    [{ field: "toString", op: "exists" }, false],
    [{ ids: ["p"] }, true],
    [{ not: { ids: ["p"] } }, false],
    [{ and: [{ ids: ["p"] }, { or: [{ ids: [] }, { field: "lang", op: "eq", value: "en" }] }] }, true],
    [{ and: [] }, true],
    [{ or: [] }, false],
  ])("%j gives %s", (filter, expected) => {
    expect(passes(filter)).toBe(expected);
  });

  it.each<[unknown, string]>([
    [null, "an object with one of and, or, not, ids, field, got null"],
    [{ colour: "red" }, "exactly one of and, or, not, ids, field, got colour"],
    [{ ids: [], and: [] }, "exactly one of and, or, not, ids, field, got and and ids"],
    [{ and: [{ ids: [1] }] }, "filter.and[0].ids needs an array of strings"],
    [{ field: "year", op: "is", value: 1 }, 'filter.op needs one of eq, ne, in, lt, lte, gt, gte, exists, got "is"'],
    [{ field: "year", op: "constructor", value: 1 }, "filter.op needs one of"],
    [{ field: "year", op: "eq", value: [1] }, 'filter on "year", op "eq" needs a string, number or boolean as value'],
    [{ field: "year", op: "lt", value: Number.NaN }, "a string or number as value, got NaN"],
    [{ field: "year", op: "in", value: "2021" }, "an array of strings, numbers or booleans"],
    [{ field: "year", op: "exists", value: "yes" }, "no value, true or false"],
  ])("refuses %j and says where", (filter, message) => {
    expect(() => passes(filter)).toThrow(
      expect.objectContaining({ code: "option", message: expect.stringContaining(message) }),
    );
  });

  it("refuses nesting that would overflow the stack", () => {
    let deep: Filter = { ids: [] };
    for (let i = 0; i < 100_000; i++) deep = { not: deep };
    expect(() => passes(deep)).toThrow(/at most 64 levels/);
  });
});
