export { describeConfig } from "./describe.ts";
export { loadConfig } from "./load.ts";
export { defaultConfig, parseConfig } from "./parse.ts";
export type { EndpointConfig, ParsedConfig, RagConfig, Source } from "./types.ts";
