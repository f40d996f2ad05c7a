// The parts of wink's packages that Clara uses; they come without types.
declare module "wink-bm25-text-search" {
  export interface WinkBm25 {
    defineConfig(config: {
      fldWeights: Record<string, number>;
      bm25Params?: { k1?: number; b?: number; k?: number };
      ovFldNames?: string[];
    }): boolean;
    definePrepTasks(tasks: ((input: never) => unknown)[], field?: string): number;
    addDoc(document: Record<string, unknown>, id: string): number;
    consolidate(precision?: number): boolean;
    search(text: string, limit?: number): [id: string, score: number][];
  }
  export default function winkBm25(): WinkBm25;
}

declare module "wink-porter2-stemmer" {
  /** The Porter2 stem of one lower-case English word. */
  export default function stem(word: string): string;
}
