export type { Calibration } from "./calibration.ts";
export { type Mini, mini } from "./mini.ts";
