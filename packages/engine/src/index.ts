export { createEncoder, type Encoder, type EncoderOptions, type RunOptions, type TokenBatch } from "./encoder.ts";
