import type { Fact } from "../pair.ts";
import { tidy, trimRange } from "../text/mask.ts";
import { finish, type Page } from "../text/question.ts";
import type { Span } from "../text/sentences.ts";
import { fieldFact, withArticle } from "./records.ts";

/** Cells of a Markdown table: the row's first cell names what is asked about, the header says which value. */
export function tableFacts(page: Page, { start, end }: Span): Fact[] {
  const rows = rowsOf(page.text, start, end);
  const ruled = rows.findIndex(
    (row) =>
      row.every((cell) => cell === null || /^:?-{2,}:?$/.test(page.text.slice(cell.start, cell.end).trim() || "--")) &&
      row.length > 0 &&
      isRule(page.text, row),
  );
  const header = ruled > 0 ? rows[ruled - 1]! : null;
  const body = ruled >= 0 ? rows.slice(ruled + 1) : rows;
  const said = (cell: Span | null | undefined): string => (cell ? tidy(page.masked.slice(cell.start, cell.end)) : "");
  const facts: Fact[] = [];
  for (const row of body) {
    const [first, ...cells] = row;
    const name = said(first);
    if (!first || name === "" || name.split(" ").length > 8) continue;
    const titles = header?.map(said) ?? [];
    if (
      row.length === 2 &&
      /^(?:property|attribute|specification|spec|feature|name|key|item|parameter|field|option|setting|)$/i.test(
        titles[0] ?? "",
      )
    ) {
      const cell = cells[0];
      if (!cell) continue;
      // A table of settings explains each: "What does X do?"
      if (/^(?:description|meaning|purpose|explanation|what it does)$/i.test(titles[1] ?? ""))
        facts.push({
          rule: "table",
          questions: [finish(`What does ${name} do`), finish(`What is ${name}`)],
          ...cell,
          certain: false,
        });
      else facts.push(...fieldFact(page, { key: name, value: cell }, page.subject ?? "", "table"));
      continue;
    }
    for (const [column, cell] of cells.entries()) {
      const key = titles[column + 1] ?? "";
      if (!cell || key === "") continue;
      if (/^(?:description|meaning|purpose|notes?|details|comments?)$/i.test(key)) continue;
      if (/^(?:default|default value)$/i.test(key))
        facts.push({
          rule: "setting",
          questions: [finish(`What is the default value of ${name}`), finish(`What is the default of ${name}`)],
          ...cell,
          certain: true,
          entity: name,
          attribute: "default",
        });
      else
        facts.push(
          ...fieldFact(page, { key, value: cell }, name, "table").map((fact) =>
            withRowKind(fact, titles[0] ?? "", name, key, page),
          ),
        );
    }
  }
  return facts;
}

/** "What is the price of Monday?" is better as "What is the price on Monday?"; the row's kind says which. */
function withRowKind(fact: Fact, kind: string, name: string, title: string, { common, text }: Page): Fact {
  // Opening hours: days down, places across.
  if (
    /^(?:day|date|weekday)s?$/i.test(kind) &&
    /\d/.test(text.slice(fact.start, fact.end)) &&
    /:\d\d|[ap]m\b/i.test(text.slice(fact.start, fact.end))
  )
    return {
      ...fact,
      questions: [
        finish(`When is ${title} open on ${name}`),
        finish(`What are the opening hours of ${title} on ${name}`),
      ],
    };
  const preposition = /^(?:day|date|weekday)s?$/i.test(kind)
    ? "on"
    : /^(?:country|region|city|location|place|year|month|season|zone|area|shop|store|destination)s?$/i.test(kind)
      ? /^destination/i.test(kind)
        ? "to"
        : /^(?:country|region|city|location|year|month|season)/i.test(kind)
          ? "in"
          : "for"
      : null;
  if (preposition === null || !fact.attribute) return fact;
  return {
    ...fact,
    questions: [
      finish(
        `What is the ${fact.attribute} ${preposition} ${preposition !== "for" ? name : withArticle(name, common)}`,
      ),
    ],
  };
}

function isRule(text: string, row: readonly (Span | null)[]): boolean {
  const first = row.find((cell) => cell !== null);
  return first === undefined || /^[:-]+$/.test(text.slice(first.start, first.end));
}

/** Cells of each line between bars; null for an empty one. */
function rowsOf(text: string, start: number, end: number): (Span | null)[][] {
  const rows: (Span | null)[][] = [];
  let at = start;
  for (const line of text.slice(start, end).split("\n")) {
    const cells: (Span | null)[] = [];
    const bars = [...line.matchAll(/(?<!\\)\|/g)].map(({ index }) => index);
    for (let i = 0; i + 1 < bars.length; i++) {
      const from = at + bars[i]! + 1;
      const to = at + bars[i + 1]!;
      const raw = text.slice(from, to).trim();
      cells.push(
        /^:?-+:?$/.test(raw)
          ? {
              start: from + text.slice(from, to).indexOf(raw),
              end: from + text.slice(from, to).indexOf(raw) + raw.length,
            }
          : trimRange(text, from, to),
      );
    }
    if (cells.length > 0) rows.push(cells);
    at += line.length + 1;
  }
  return rows;
}
