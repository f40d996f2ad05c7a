// For the tests of the packages that run a CLaRa; not published.
export {
  type FixtureCheckpoint,
  haveFixtures,
  readBytes,
  readCheckpoint,
  readFixture,
  readJson,
} from "./clara-fixtures.ts";
export { tinyAdapter, tinyBase, tinyConfig, tinyRender, tinyTokenizer, tinyTokenizerWith } from "./tiny-clara.ts";
