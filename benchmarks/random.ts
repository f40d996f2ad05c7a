// The benchmarks draw as the retrievers' conformance kit does: their inputs are the same ones from year to year.
export { createRandom } from "../packages/retrieval/src/conformance/setup.ts";
