export { type MaxSimOptions, maxSim } from "./max-sim.ts";
export { cosineScores, flattenMemories } from "./scores.ts";
export { selectMemories } from "./select-memories.ts";
export { type Selection, type SelectTopKOptions, selectTopK } from "./select-top-k.ts";
