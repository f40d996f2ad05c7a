import { describe, expect, it } from "vitest";
import { htmlText } from "./html.ts";

function blocksOf(html: string): [string, string, string][] {
  const { text, blocks } = htmlText(html);
  return blocks.map(({ heading, kind, start, end }) => [kind, heading.join(" > "), text.slice(start, end).trim()]);
}

describe("htmlText", () => {
  it("keeps what a reader sees", () => {
    const html = `<html><head><title>Shop &amp; co</title><style>p{}</style></head><body>
      <nav>Home</nav><script>var a = "<p>no</p>";</script>
      <p>One <b>bold</b>,
      two&nbsp;words.<p>Next<br>line</p><ul><li>a<li>b</ul><p hidden>secret</p></body></html>`;
    expect(htmlText(html)).toMatchObject({ text: "One bold, two words.\n\nNext\nline\n\na\nb", title: "Shop & co" });
  });

  it("tracks headings; a heading stands at the start of its section", () => {
    expect(blocksOf("<p>intro</p><h1>A <i>b</i></h1><p>one</p><h2>C</h2><p>two</p><h1>D</h1><p>three</p>")).toEqual([
      ["prose", "", "intro"],
      ["prose", "A b", "A b\n\none"],
      ["prose", "A b > C", "C\n\ntwo"],
      ["prose", "D", "D\n\nthree"],
    ]);
  });

  it("makes a record of each row of a table with a header", () => {
    const html = `<h1>T</h1><p>Prices:</p><table><thead><tr><th>Item<th>Price</thead>
      <tr><td>Saw<td>9 EUR<tr><td>Axe <p>small</p><td></table><p>after</p>`;
    expect(blocksOf(html)).toEqual([
      ["prose", "T", "T\n\nPrices:"],
      ["record", "T", "Item: Saw; Price: 9 EUR"],
      ["record", "T", "Item: Axe small"],
      ["prose", "T", "after"],
    ]);
    expect(htmlText(html).text).toBe("T\n\nPrices:\n\nItem: Saw; Price: 9 EUR\nItem: Axe small\n\nafter");
  });

  it("puts cells that span columns and rows under the right headers", () => {
    const html = `<table><tr><th>Size<th>Kind<th>EUR</tr><tr><td rowspan=2>S<td>wool<td>5</tr><tr><td>silk<td>7</tr>
      <tr><td colspan=2>any<td>3</tr></table>`;
    expect(blocksOf(html).map(([, , text]) => text)).toEqual([
      "Size: S; Kind: wool; EUR: 5",
      "Size: S; Kind: silk; EUR: 7",
      "Size: any; EUR: 3",
    ]);
  });

  it("joins the cells of a table without a header", () => {
    expect(blocksOf("<table><tr><th>Weight<td>2 kg<tr><th>Length<td>3 m</table>")).toEqual([
      ["prose", "", "Weight: 2 kg\nLength: 3 m"],
    ]);
    expect(blocksOf("<table><tr><td>a<td>b<tr><td>c<td>d</table>")).toEqual([["prose", "", "a | b\nc | d"]]);
  });

  it("keeps preformatted text as it is, whole", () => {
    const { text, blocks } = htmlText("<p>run</p><pre>a\n  b\n\n  c</pre><p>x</p>");
    expect(text).toBe("run\n\na\n  b\n\n  c\n\nx");
    expect(blocks.map(({ keepWhole }) => keepWhole ?? false)).toEqual([false, true, false]);
  });

  it("survives markup that is broken or nested without end", () => {
    expect(htmlText("<p>a<div><b>c</p></i>d").text).toBe("a\n\nc\n\nd");
    expect(htmlText(`${"<div>".repeat(20_000)}x`).text).toBe("x");
    expect(htmlText("<table><table><tr><td>x").blocks).toBeDefined();
    expect(htmlText("").blocks).toEqual([]);
  });
});
