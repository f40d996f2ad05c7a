import { cpus, platform, totalmem } from "node:os";
import type { Engine } from "@clara/engine";
import type { Chart, Report, Section } from "../report/index.ts";
import { duration, perSecond, smooth, sum } from "./rates.ts";
import type { RunIdentity } from "./run-folder.ts";
import type { LogEntry } from "./training-log.ts";

export interface TrainingReportOptions {
  readonly identity: RunIdentity;
  readonly entries: readonly LogEntry[];
  readonly engine: Pick<Engine, "name" | "details">;
  /** Id of the trained model. */
  readonly trained: string;
}

/** Points of a chart at most: each is then the mean over a few steps. */
const mostPoints = 1000;

/** What a run has done, with what, and where. */
export function trainingReport({ identity, entries, engine, trained }: TrainingReportOptions): Report {
  const { recipe } = identity;
  const points = thin(entries, mostPoints);
  const measures = [...new Set(entries.flatMap(({ measures }) => Object.keys(measures)))];
  const over = (heading: string, label: string, of: (entry: LogEntry) => number | null): Section => ({
    heading,
    chart: chart(points, label, [{ label, values: points.map((group) => meanOf(group, of)) }]),
  });
  return {
    title: `Training: ${recipe.name}`,
    intro: `${recipe.about}\nStage ${recipe.stage}, from ${identity.model} to ${trained}.`,
    sections: [
      { heading: "Result", table: resultOf(entries) },
      lossOf(points),
      ...measures.map((name) => over(name, name, ({ measures }) => measures[name] ?? null)),
      over("Learning rate", "learning rate", ({ learningRate }) => learningRate),
      over("Gradient norm, before clipping", "norm", ({ norm }) => norm),
      over("Speed", "tokens/s", ({ tokens, seconds }) => (seconds > 0 ? tokens / seconds : null)),
      { heading: "Settings", table: settingsOf(identity) },
      dataOf(identity),
      {
        heading: "Machine",
        table: {
          columns: ["part", "found"],
          rows: [
            ["processor", `${cpus().length} × ${cpus()[0]?.model.trim() ?? "unknown"}`],
            ["memory", `${(totalmem() / 2 ** 30).toFixed(0)} GiB`],
            ["system", `${platform()}, Node.js ${process.versions.node}`],
            ["engine", `${engine.name}, ${engine.details}`],
          ],
        },
      },
    ],
  };
}

function resultOf(entries: readonly LogEntry[]): NonNullable<Section["table"]> {
  const seconds = sum(entries, "seconds");
  const [examples, tokens] = [sum(entries, "examples"), sum(entries, "tokens")];
  const few = Math.max(1, Math.min(100, Math.ceil(entries.length / 10)));
  const mean = (list: readonly LogEntry[]): string => meanOf(list, ({ loss }) => loss)!.toFixed(4);
  return {
    columns: ["what", "value"],
    rows: [
      ["steps", entries.length.toLocaleString("en")],
      ["examples", `${examples.toLocaleString("en")} (${perSecond(examples / seconds)}/s)`],
      ["tokens", `${tokens.toLocaleString("en")} (${perSecond(tokens / seconds)}/s)`],
      ["time", `${duration(seconds)} (${(seconds / 3600).toFixed(2)} hours), without saving`],
      [`loss, mean of the first ${few} steps`, mean(entries.slice(0, few))],
      [`loss, mean of the last ${few} steps`, mean(entries.slice(-few))],
    ],
  };
}

function lossOf(points: readonly (readonly LogEntry[])[]): Section {
  const values = points.map((group) => meanOf(group, ({ loss }) => loss)!);
  return {
    heading: "Loss",
    text: "The mean over a step's examples; the line is its moving mean.",
    chart: chart(points, "loss", [
      { label: "steps", values, faint: true },
      { label: "moving mean", values: smooth(values, Math.min(1, 20 / points.length)) },
    ]),
  };
}

function settingsOf({ recipe, started }: RunIdentity): NonNullable<Section["table"]> {
  const { optimizer, name, stage, about: _, sha256, ...rest } = recipe;
  const file = sha256.slice(0, 12);
  const rows = Object.entries({ name, stage, ...rest, "sha256 of the recipe's file": file, started, ...optimizer });
  return { columns: ["setting", "value"], rows: rows.map(([key, value]) => [key, String(value)]) };
}

function dataOf({ data }: RunIdentity): Section {
  const rows = Object.entries(data).map(([name, { path, about, licence, bytes, sha256 }]) => [
    name,
    about,
    licence,
    path,
    bytes.toLocaleString("en"),
    sha256.slice(0, 12),
  ]);
  if (rows.length === 0) return { heading: "Data", text: "No files were read." };
  return { heading: "Data", table: { columns: ["name", "what it is", "licence", "file", "bytes", "sha256"], rows } };
}

function chart(points: readonly (readonly LogEntry[])[], label: string, series: Chart["series"]): Chart {
  return {
    kind: "line",
    x: { label: "step", values: points.map((group) => group.at(-1)!.step) },
    y: { label },
    series,
  };
}

/** Neighbours in groups, so that there are at most `count` groups. */
function thin(entries: readonly LogEntry[], count: number): LogEntry[][] {
  const size = Math.ceil(entries.length / count);
  return Array.from({ length: Math.ceil(entries.length / Math.max(1, size)) }, (_, i) =>
    entries.slice(i * size, (i + 1) * size),
  );
}

function meanOf(entries: readonly LogEntry[], of: (entry: LogEntry) => number | null): number | null {
  const values = entries.map(of).filter((value) => value !== null);
  return values.length === 0 ? null : values.reduce((a, b) => a + b, 0) / values.length;
}
