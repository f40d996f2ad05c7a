import type { Data, Dtype, Program } from "../program.ts";
import type { HostTensors, LoadOptions } from "../protocol.ts";
import type { Sizes } from "../size.ts";

/** A parameter where the worker has it. */
export interface Param {
  readonly shape: readonly number[];
  readonly dtype: Dtype;
  /** The numbers, when they are in memory. Trainable ones are read anew at each run. */
  readonly data?: Data;
  readonly trainable: boolean;
  /** Where they are in a file that can be mapped. */
  readonly file?: {
    readonly folder: string;
    readonly location: string;
    readonly offset: number;
    readonly length: number;
  };
}

/** A program that is ready to run. */
export interface Loaded {
  /**
   * @param inputs by the names of the program's inputs.
   * @param into arrays to write outputs into; the others are made. An array may be that of an input or parameter when
   *   the program's last use of it is the elementwise operation that makes the output.
   */
  run(inputs: HostTensors, sizes: Sizes, into?: Readonly<Record<string, Data>>): Promise<HostTensors>;
  release(): Promise<void>;
}

/** What runs programs in this worker. */
export interface Runner {
  /** Versions and devices, for people. */
  readonly details: string;
  load(
    program: Program,
    params: ReadonlyMap<string, Param>,
    options: LoadOptions & { readonly accumulate?: ReadonlySet<string> },
  ): Promise<Loaded>;
}
