/** Where a function runs. */
export const engineNames = ["compiled", "tfjs-node-gpu", "tfjs-node", "wasm", "cpu"] as const;
export type EngineName = (typeof engineNames)[number];

export interface EngineSettings {
  /** Threads of one run. @default the machine's cores, at most 4 */
  readonly threads?: number;
  /** Where ONNX Runtime computes; only for `compiled`. @default "cpu" */
  readonly provider?: "cpu" | "cuda";
  /**
   * Lets ONNX Runtime plan one block of memory per set of sizes. Costs up to twice the memory in training, and brings
   * nothing where sizes differ from run to run. @default false
   */
  readonly memoryPattern?: boolean;
  /** Keeps memory for the next run instead of giving it back. Without it a training step takes a fifth longer. @default true */
  readonly arena?: boolean;
  /** Folder for compiled graphs; none are kept without it. */
  readonly cacheFolder?: string;
  /** Path of the add-on that `engine install` has built; for `tfjs-node` and `tfjs-node-gpu`. */
  readonly addon?: string;
  /** Folder of the npm package whose JavaScript goes with the add-on. @default what `engine install` noted, else what Node.js finds */
  readonly packageFolder?: string;
}
