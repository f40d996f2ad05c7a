export { reportPage } from "./report-page.ts";
export type { Axis, Chart, Report, Section, Series, Table } from "./types.ts";
