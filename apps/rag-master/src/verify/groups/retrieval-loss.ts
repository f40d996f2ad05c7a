import { tf } from "@clara/tensor";
import { selectTopK } from "@clara/topk";
import { type ClaraParams, queryLoss, type SelectionInputs, scoreDocuments } from "@clara/train";
import { compute } from "../compute.ts";
import { type Folder, MissingFile } from "../folder.ts";
import type { ForwardFile } from "../forward-common.ts";
import { compareLoss, openForward } from "../forward-common.ts";
import type { Group } from "../group.ts";

interface RetrievalLoss {
  /** Names the file with the inputs. */
  readonly note?: string;
  readonly loss: number;
  readonly topk_indices: readonly (readonly number[])[];
  readonly pos_index: readonly (readonly number[])[];
}

const name = "forward/retrieval-loss";

/** The contrastive loss of questions and documents, on the micro-batch with questions. */
export const retrievalLoss: Group = {
  name: "forward/retrieval-loss",
  async run(session, checks) {
    const { folder } = session;
    const { loss, topk_indices, pos_index, note } = folder.json<RetrievalLoss>(`${name}.json`);
    const recorded = folder.weights(`${name}.safetensors`);
    const batches = folder.names("forward", ".json").filter((file) => hasQuestions(folder, file));
    const batch = batches.find((file) => note?.includes(`${file}.json`)) ?? batches[0];
    if (batch === undefined) throw new MissingFile("a file with questions in forward/");
    const forward = openForward(batch, session);
    const { shape } = forward.checkpoint;
    const k = forward.file.generation_top_k;
    const N = forward.file.enc.shape[0] / pos_index.length;
    const positives = (): tf.Tensor2D =>
      tf.tensor2d(pos_index.map((own) => Array.from({ length: N }, (_, i) => Number(own.includes(i)))));
    const { indices } = await compute(() => {
      const { params, inputs } = forward.open();
      return { indices: selectTopK(scoreDocuments(params, inputs, shape).scores, k).indices };
    });
    const rows = topk_indices.map((_, b) => Array.from(indices.data.slice(b * k, (b + 1) * k)));
    checks.same(`${name}/topk_indices`, rows, topk_indices);
    const { grad_norms: _, ...file } = forward.file;
    const of = (params: ClaraParams, inputs: SelectionInputs): tf.Scalar =>
      queryLoss(params, inputs, positives(), shape);
    await checks.attempt(`${name}/loss`, () =>
      compareLoss({ ...forward, name, file, recorded }, { name: "", value: loss, of }, checks),
    );
  },
};

function hasQuestions(folder: Folder, file: string): boolean {
  try {
    return folder.json<ForwardFile>(`forward/${file}.json`).query !== undefined;
  } catch {
    return false; // the group "forward" says what is wrong with it
  }
}
