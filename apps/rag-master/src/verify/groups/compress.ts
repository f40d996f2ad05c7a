import { textRow } from "@clara/compressor";
import { tf } from "@clara/tensor";
import { alignmentLoss, compressDocuments } from "@clara/train";
import type { Checks } from "../check.ts";
import { compute } from "../compute.ts";
import type { Group } from "../group.ts";
import { openInference } from "../inference.ts";
import { claraTensors, paramsWith } from "../model.ts";
import type { Session } from "../session.ts";
import { LOSS, STATES } from "../tolerances.ts";

interface Compressed {
  readonly checkpoint: string;
  readonly compress_rate: number;
  readonly doc_max_length: number;
  readonly memory_token_ids: readonly number[];
  readonly special_ids: Readonly<Record<string, number>>;
  readonly pad_id: number;
  readonly vocab_size: number;
  readonly documents: readonly string[];
  readonly row_tokens_before_truncation: readonly number[];
  readonly row_limit: number;
  readonly input_ids: readonly (readonly number[])[];
  readonly attention_mask: readonly (readonly number[])[];
  readonly memory_mask: readonly (readonly number[])[];
  readonly mse: number;
}

/** `claraCompressor` counts the tokens that a text loses up to this. */
const countedTokens = 1000;

/** Documents of every length as rows and as memories, by the compressor that people use. */
export const compress: Group = {
  name: "compress",
  async run(session, checks) {
    const files = session.folder.names("compress", ".json");
    if (files.length === 0) checks.skip("compress", "needs files in compress/");
    for (const file of files) await checks.attempt(`compress/${file}`, () => compareFile(file, session, checks));
  },
};

async function compareFile(file: string, session: Session, checks: Checks): Promise<void> {
  const name = `compress/${file}`;
  const json = session.folder.json<Compressed>(`${name}.json`);
  const recorded = session.folder.weights(`${name}.safetensors`);
  const checkpoint = session.checkpoint(json.checkpoint);
  const { shape, documentTokens, base } = checkpoint;
  const tokenizer = session.tokenizer(shape.memoryTokens);

  await checks.attempt(`${name}/rows`, () => {
    const ids = Array.from({ length: shape.memoryTokens }, (_, i) => tokenizer.firstMemoryId + i);
    const special = Object.keys(json.special_ids).map((token) => [token, tokenizer.tokenId(token)]);
    const { doc_max_length, memory_token_ids, special_ids, pad_id, vocab_size } = json;
    checks.same(
      `${name}/tokens`,
      [documentTokens, ids, Object.fromEntries(special), tokenizer.padId, base.words!.shape[0]],
      [doc_max_length, memory_token_ids, special_ids, pad_id, vocab_size],
    );
    const rows = json.documents.map((text) => textRow(tokenizer, text, documentTokens));
    const width = json.row_limit + shape.memoryTokens;
    const padded = (value: number, row: readonly number[]): number[] => [
      ...Array<number>(Math.max(0, width - row.length)).fill(value),
      ...row,
    ];
    const own = rows.map((row) => row.ids);
    checks.same(
      `${name}/input_ids`,
      own.map((row) => padded(json.pad_id, row)),
      json.input_ids,
    );
    checks.same(
      `${name}/attention_mask`,
      own.map((row) =>
        padded(
          0,
          row.map(() => 1),
        ),
      ),
      json.attention_mask,
    );
    const memory = own.map((row) =>
      padded(
        0,
        row.map((id) => Number(ids.includes(id))),
      ),
    );
    checks.same(`${name}/memory_mask`, memory, json.memory_mask);
    // One token more than fits is the end mark alone.
    const lost = json.row_tokens_before_truncation.map((tokens) => tokens - json.row_limit - 1);
    checks.same(
      `${name}/row_tokens_before_truncation`,
      rows.map(({ lostTokens }) => lostTokens),
      lost.map((tokens) => (tokens < 0 ? undefined : Math.min(tokens, countedTokens))),
    );
  });

  const wanted = recorded.memory;
  if (!wanted) return checks.skip(`${name}/memory`, "is not recorded");
  await checks.attempt(`${name}/memory`, async () => {
    const { compressor, dispose } = await openInference(json.checkpoint, session);
    try {
      const { memories } = await compressor.compress(json.documents, { signal: session.signal });
      const data = Float32Array.from(memories.flatMap(({ vectors }) => Array.from(vectors)));
      const { memoryTokens, width } = compressor;
      checks.close(`${name}/memory`, { data, shape: [memories.length, memoryTokens, width] }, wanted, STATES);
    } finally {
      await dispose();
    }
  });

  await checks.attempt(`${name}/mse`, async () => {
    const { mse } = await compute(() => {
      const params = paramsWith(claraTensors(checkpoint), {}, shape);
      const rows = (of: Compressed["input_ids"]) => tf.tensor3d([of.map((row) => [...row])], undefined, "int32");
      const inputs = { documents: rows(json.input_ids), documentMask: rows(json.attention_mask) };
      const { memories, states, mask } = compressDocuments(params, inputs, shape);
      return { mse: alignmentLoss(tf.squeeze(memories, [0]), states, mask) };
    });
    checks.close(`${name}/mse`, mse, { data: [json.mse], shape: [] }, LOSS);
  });
}
