// `npm start`: sets the clone up, then the tour; `npm start -- <command …>`: sets it up, then that command.
import { join } from "node:path";
import { launch, root, setup } from "./setup.mjs";

const node = setup();
const args = process.argv.slice(2);
process.exitCode = launch(node, [
  join(root, "apps/rag-master/bin/rag-master.js"),
  ...(args.length > 0 ? args : ["tour", join(root, "examples/shop")]),
]);
