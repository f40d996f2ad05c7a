import type { Stage } from "../recipe.ts";

/** What the reference's code calls the stages; its pages call them 1, 2 and 3. */
export const referenceStages: {
  readonly compression: "stage1";
  readonly instruction: "stage1_2";
  readonly endToEnd: "stage2";
} = {
  compression: "stage1",
  instruction: "stage1_2",
  endToEnd: "stage2",
};

/** The stage of a checkpoint's `training_stage`, undefined when it is none of the three. */
export function stageOf(name: unknown): Stage | undefined {
  return (Object.keys(referenceStages) as Stage[]).find((stage) => referenceStages[stage] === name);
}
