import { stat } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { mini } from "@clara/mini";

console.log(mini.id, mini.config);
for (const [what, url] of Object.entries(mini.files)) {
  const { size } = await stat(url);
  console.log(`${what}: ${fileURLToPath(url).split("/").at(-1)}, ${(size / 1e6).toFixed(1)} MB`);
}
