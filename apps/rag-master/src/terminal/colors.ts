import type { createColors } from "picocolors";

/** picocolors' functions, all of which return their text unchanged when colours are off. */
export type Colors = ReturnType<typeof createColors>;
