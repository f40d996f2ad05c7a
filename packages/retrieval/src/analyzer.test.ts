import { describe, expect, it } from "vitest";
import { englishAnalyzer } from "./analyzer.ts";

const terms = (text: string) => englishAnalyzer.analyze(text);

describe("englishAnalyzer", () => {
  it("lowers, stems and drops stop words", () => {
    expect(terms("The Engines were RUNNING quickly, and what of it?")).toEqual(["engin", "run", "quick"]);
  });

  it("keeps repetitions and order", () => {
    expect(terms("lava ash lava")).toEqual(["lava", "ash", "lava"]);
  });

  it("folds accents, however they are encoded, and keeps letters of their own", () => {
    expect(terms("café")).toEqual(terms("cafe\u0301"));
    expect(terms("Café Ñandú")).toEqual(["cafe", "nandu"]);
    expect(terms("Größe")).toEqual(["große"]);
    expect(terms("ﬁre Ｆｕｌｌ")).toEqual(["fire", "full"]);
    expect(terms("İstanbul")).toEqual(terms("istanbul"));
  });

  it.each([
    ["X-200", ["x", "200", "x200"]],
    ["x200", ["x200"]],
    ["v1.2.3", ["v1", "2", "3", "v1.2.3"]],
    ["3.14", ["3", "14", "3.14"]],
    ["1,299,000", ["1", "299", "000", "1299000"]],
    ["1,2,3", ["1", "2", "3"]],
    ["2024-05-01", ["2024", "05", "01", "20240501"]],
    ["well-known", ["well", "known"]],
    ["end.Begin", ["end", "begin"]],
    ["ends 5. Begin", ["end", "5", "begin"]],
  ])("reads the number or code %s", (text, expected) => {
    expect(terms(text)).toEqual(expected);
  });

  it("gives every way to write a product code a term of the passage", () => {
    for (const passage of ["The X-200 jacket", "The X200 jacket"]) {
      for (const question of ["x-200", "X200", "X_200"]) {
        expect(terms(passage).filter((term) => terms(question).includes(term)).length).toBeGreaterThan(0);
      }
    }
  });

  it("drops contractions like the stop words that they are", () => {
    expect(terms("don't isn’t it's we'll")).toEqual([]);
    expect(terms("the jacket's zip")).toEqual(["jacket", "zip"]);
    expect(terms("O'Brien")).toEqual(["o", "brien"]);
  });

  it("splits Chinese, Japanese and Korean into pairs of characters", () => {
    expect(terms("東京都")).toEqual(["東京", "京都"]);
    expect(terms("火")).toEqual(["火"]);
    expect(terms("サーバー")).toEqual(["サー", "ーバ", "バー"]);
    expect(terms("화산은 용암")).toEqual(["화산", "산은", "용암"]);
    expect(terms("iPhone手机15")).toEqual(["iphon", "手机", "15"]);
    expect(terms("ｶﾞｽ")).toEqual(terms("ガス"));
  });

  it("keeps the vowel signs of Indic words", () => {
    expect(terms("हिन्दी")).toEqual(["हिन्दी"]);
  });

  it("finds no terms in emoji, punctuation and nothing", () => {
    expect(terms("🎉 — !? 👩‍👩‍👧")).toEqual([]);
    expect(terms("")).toEqual([]);
    expect(terms("1️⃣")).toEqual(["1"]);
  });

  it("survives the names that every object has", () => {
    expect(terms("constructor __proto__ hasOwnProperty")).toHaveLength(3);
  });

  it("reads long text without a joiner in linear time", () => {
    expect(terms("a1-".repeat(50_000))).toHaveLength(50_000);
    expect(terms("n".repeat(200_000))).toHaveLength(1);
    expect(terms(`${"n".repeat(50_000)}'`)).toHaveLength(1);
  });
});
