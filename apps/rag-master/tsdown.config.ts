import { library } from "../../tsdown.base.ts";

export default library(["src/index.ts", "src/main.ts", "src/measure-engine.ts"]);
