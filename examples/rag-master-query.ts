import { createRagMaster } from "@clara/rag-master";

const rag = await createRagMaster();

const documents = [
  { id: "returns.md", text: "Unworn jackets can be returned within 30 days. Refunds take 5 working days." },
  { id: "hours.md", text: "The shop on Harbour Street opens at 9:30 on Saturdays and is closed on Sundays." },
];
for (const question of ["When does the shop open on Saturdays?", "Who painted the Mona Lisa?"]) {
  const { response, refused, citations, record } = await rag.query(question, { documents });
  console.log(`${question}\n  ${response}`);
  if (refused) console.log(`  reason: ${record.reason}`);
  for (const { document, start, end, quote } of citations) console.log(`  ${document} [${start}, ${end}): ${quote}`);
}

await rag.close();
