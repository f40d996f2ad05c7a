import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { createRagMaster, parseConfig } from "@clara/rag-master";

const { config } = parseConfig("rag_master: { reranking: { top_k: 3 } }", "settings");
const folder = await mkdtemp(join(tmpdir(), "clara-"));
const rag = await createRagMaster({ config, pack: join(folder, "pack") });
try {
  const manuals = fileURLToPath(new URL("shop/manuals", import.meta.url));
  const { found, indexed, passages } = await rag.index([manuals]);
  console.log(`${indexed} of ${found} files indexed, ${passages} passages`);

  const { response, confidence, citations } = await rag.query("What is the battery capacity of the Nightjar 400?");
  console.log(`${response} (confidence ${confidence.toFixed(2)})`);
  for (const { document, line, quote } of citations) console.log(`${document}:${line}: ${quote}`);
} finally {
  await rag.close();
  await rm(folder, { recursive: true });
}
