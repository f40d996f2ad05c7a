import type { Fact, RuleName } from "../pair.ts";
import { type Clause, isBe } from "../text/clause.ts";
import { type Quantity, quantities } from "../text/quantities.ts";
import { ask, finish, leadText, type Page, subjectText } from "../text/question.ts";
import type { Span } from "../text/sentences.ts";

/** Amounts, durations, dates and times of a clause: "How many", "How long", "When". */
export function numberFacts(page: Page, clause: Clause): Fact[] {
  const { masked } = page;
  const facts: Fact[] = [];
  if (clause.lead) {
    for (const quantity of quantities(masked, clause.lead.start, clause.lead.end)) {
      if (quantity.prepositionStart !== clause.lead.start || quantity.end !== clause.lead.end) continue;
      const asked = adjunct(page, clause, quantity, true);
      if (asked) facts.push(asked);
    }
  }
  for (const quantity of quantities(masked, clause.rest.start, clause.rest.end)) {
    const asked =
      quantity.preposition === "" || /^(?:every|each)$/.test(quantity.preposition)
        ? argument(page, clause, quantity)
        : adjunct(page, clause, quantity, false);
    if (asked) facts.push(asked);
  }
  const subject = quantities(masked, clause.subject.start, clause.subject.end)[0];
  if (subject && subject.kind === "count" && subject.from === clause.subject.start && !clause.imperative) {
    // "Nine people work in the shop": the verb stays where it is.
    const end = subject.end + 1 + subject.noun.length;
    if (end === clause.subject.end && masked.slice(subject.end, end).trim() === subject.noun)
      facts.push({
        rule: "count",
        questions: [
          finish(
            `How many ${subject.noun} ${masked.slice(clause.subject.end, clause.rest.end)} ${clause.lead ? leadText(page, clause.lead) : ""}`,
          ),
        ],
        start: subject.from,
        end,
      });
  }
  return facts;
}

const adjectives = /^\s+(high|tall|long|wide|deep|thick|old|heavy|large|big|fast)\b/;

/** The quantity is the verb's object or complement. */
function argument(page: Page, clause: Clause, quantity: Quantity): Fact | null {
  const { masked } = page;
  const { kind, start, end, from, noun } = quantity;
  const direct = masked.slice(clause.rest.start, from).trim();
  const whole = (questions: string[], rule: RuleName, to: number = end): Fact => ({
    rule,
    questions,
    start: from,
    end: to,
  });
  const without: Span[] = [{ start: from, end }];
  if (/^(?:every|each)$/.test(quantity.preposition)) {
    if (kind !== "duration" && kind !== "weekday") return null;
    return {
      rule: "time",
      questions: [ask(page, clause, "How often", { without: [{ start: quantity.prepositionStart, end }] })],
      start: quantity.prepositionStart,
      end,
    };
  }
  const adjective = adjectives.exec(masked.slice(end, clause.rest.end));
  if (isBe(clause) && direct === "" && adjective && (kind === "measure" || kind === "duration")) {
    return whole(
      [ask(page, clause, `How ${adjective[1]}`, { without: [{ start: from, end: end + adjective[0].length }] })],
      "measure",
    );
  }
  // "a water column of 3,000 mm"
  const of =
    /(?:^|\s)(?:an?|the)\s+((?:\p{Ll}[\p{L}-]*\s){0,2}\p{Ll}[\p{L}-]*)\s+of\s+(?:up to |at least |about )?$/u.exec(
      masked.slice(clause.rest.start, start),
    );
  if (of && kind !== "date" && kind !== "year" && direct.startsWith(of[0].trim().split(" ")[0]!)) {
    return {
      rule: kind === "price" ? "price" : "measure",
      questions: [ask(page, clause, `What ${of[1]}`, { without: [{ start: clause.rest.start, end }] })],
      start: from,
      end,
    };
  }
  if (kind === "count" && (direct === "" || /^(?:a total of|exactly|only)$/.test(direct))) {
    const at = masked.indexOf(noun, end) + noun.length;
    if (/^\s*(?:and|or|,)/.test(masked.slice(at))) return null;
    if (isBe(clause) && !/^there$/i.test(masked.slice(clause.subject.start, clause.subject.end).trim())) return null;
    return {
      rule: "count",
      questions: [ask(page, clause, `How many ${noun}`, { without: [{ start: clause.rest.start, end: at }] })],
      start: from,
      end: at,
    };
  }
  if (direct !== "" && !/^(?:one person|you|\p{Ll}+ed|\p{Ll}+)$/u.test(direct)) return null;
  if (kind === "price") {
    if (/^(?:cost|charge|pay|spend|save|raise|donate|give)$/.test(clause.lemma) && direct === "")
      return whole([ask(page, clause, "How much", { without })], "price");
    if (isBe(clause) && direct === "") return whole(amountIs(page, clause, "How much"), "price");
    return null;
  }
  if (kind === "percent" && direct === "") {
    const of = /^\s+of\s+((?:the |all |our |its |their )?[\p{L}-]+(?:\s[\p{L}-]+)?)/u.exec(
      masked.slice(end, clause.rest.end),
    );
    if (of && !isBe(clause))
      return whole(
        [ask(page, clause, `What percentage of ${of[1]}`, { without: [{ start: from, end: end + of[0].length }] })],
        "count",
      );
    return isBe(clause) ? null : whole([ask(page, clause, "What percentage", { without })], "count");
  }
  if (kind === "measure") {
    if (/^weigh$/.test(clause.lemma)) return whole([ask(page, clause, "How much", { without })], "measure");
    if (/^(?:measure|hold|produce|reach|cover|contain|exceed)$/.test(clause.lemma) && direct === "")
      return whole(
        [
          ask(page, clause, "What", { without }),
          ...(clause.lemma === "measure" ? [ask(page, clause, "How much", { without })] : []),
        ].slice(0, 1),
        "measure",
      );
    if (isBe(clause) && direct === "") return whole(amountIs(page, clause, "What"), "measure");
    return null;
  }
  if (kind === "duration") {
    if (/^(?:take|last|run|live|wait|reign|stay|spend|need|rule|serve)$/.test(clause.lemma))
      return whole([ask(page, clause, "How long", { without })], "time");
    if (isBe(clause) && direct === "") return whole(amountIs(page, clause, "How long"), "time");
  }
  return null;
}

function amountIs(page: Page, clause: Clause, wh: string): string[] {
  const rest = {
    without: [{ start: clause.rest.start, end: quantities(page.masked, clause.rest.start, clause.rest.end)[0]!.end }],
  };
  const subject = subjectText(page, clause);
  return wh === "What" ||
    /\b(?:price|cost|fee|charge|limit|rate|salary|value|period|size|number|weight|height|length|depth|width|speed|distance|area|temperature|age|warranty|time|deadline|default)\b/.test(
      subject,
    )
    ? [ask(page, clause, "What", rest)]
    : [ask(page, clause, wh, rest)];
}

const plural = (noun: string): string => (/s$/.test(noun) || noun === "ms" ? noun : `${noun}s`);

/** The quantity stands behind a preposition: the question takes both along, or "when" takes their place. */
function adjunct(page: Page, clause: Clause, quantity: Quantity, isLead: boolean): Fact | null {
  const { masked } = page;
  const { kind, end, from, noun, preposition, prepositionStart } = quantity;
  // "in 2019 and 2020", "on 24 December at noon": what follows belongs to it.
  if (/^\s*(?:and|or|to|through|-|–|%|,)\s*\S*\d/.test(masked.slice(end, end + 14))) return null;
  const without = isLead ? [] : [{ start: prepositionStart, end }];
  const put = (wh: string): string => ask(page, clause, wh, { without, withoutLead: isLead });
  const past = clause.form === "past" || /^(?:was|were|had|did)$/.test(clause.auxiliary ?? "");
  const fact = (rule: RuleName, questions: string[], start = from): Fact => ({
    rule,
    questions: questions.filter(Boolean),
    start,
    end,
  });
  const range = /^(?:from|between)$/.test(preposition);
  switch (kind) {
    case "year":
    case "date": {
      if (preposition === "since") return fact("date", [put("Since when")]);
      if (preposition === "until") return fact("date", [put("Until when")]);
      if (preposition === "by") return fact("date", [put("By when")]);
      if (preposition === "before" || preposition === "after")
        return fact("date", [put(kind === "year" ? `${preposition} which year` : `${preposition} which date`)]);
      if (!/^(?:in|on|at|during|around)$/.test(preposition)) return null;
      return fact("date", kind === "year" && past ? [put("When"), put("In what year")] : [put("When")]);
    }
    case "clock":
      if (range)
        return fact(
          "time",
          [put("Between what times"), put("At what times")],
          preposition === "between" ? from : prepositionStart,
        );
      if (preposition === "at") return fact("time", [put("At what time"), put("When")]);
      if (preposition === "until" || preposition === "by" || preposition === "after" || preposition === "before")
        return fact("time", [put(`${preposition} what time`)]);
      return null;
    case "weekday":
      if (preposition === "on") return fact("time", [put("On which day")]);
      if (preposition === "from") return fact("time", [put("On which days")], prepositionStart);
      return null;
    case "duration":
      if (preposition === "for") return fact("time", [put("For how long"), put("How long")]);
      if (/^\s+of\b/.test(masked.slice(end))) return null;
      if (preposition === "within") return fact("time", [put(`Within how many ${plural(noun)}`)]);
      return preposition === "after" || preposition === "before" ? fact("time", [put("When")], prepositionStart) : null;
    case "price":
      return preposition === "for" ? fact("price", [put("For how much"), put("At what price")]) : null;
    case "count": {
      const to = masked.indexOf(noun, end) + noun.length;
      if (/^(?:with|of|than|per|by|from|to)$/.test(preposition)) return null;
      const more = isLead ? [] : [{ start: prepositionStart, end: to }];
      return {
        rule: "count",
        questions: [ask(page, clause, `${preposition} how many ${noun}`, { without: more, withoutLead: isLead })],
        start: from,
        end: to,
      };
    }
    default:
      return null;
  }
}
