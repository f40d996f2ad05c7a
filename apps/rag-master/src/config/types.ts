/** Where a value of the effective configuration came from. */
export type Source =
  | { readonly from: "default" }
  | { readonly from: "file"; readonly file: string; readonly line: number };

/** The effective configuration: every default filled in. In YAML the same names in snake_case, under `rag_master:`. */
export interface RagConfig {
  readonly compression: {
    /** False: passages are read as text, memories are used for search only. */
    readonly enabled: boolean;
    /** `@clara/mini`, or a model folder, `./name`, of `train` or `import`. */
    readonly model: string;
    /** Tokens behind one memory token, 1 to 256. */
    readonly rate: number;
  };
  readonly retrieval: {
    /** Candidates from dense search, 0 to 37; 0 leaves it out. */
    readonly denseTopK: number;
    /** Candidates from BM25, 0 to 37; 0 leaves it out. The two together are at most 37. */
    readonly sparseTopK: number;
    readonly fusion: "union" | "rrf" | "weighted";
  };
  readonly reranking: {
    /** Passages that the answer may use. */
    readonly topK: number;
    /** Calibrated 0–1: the estimated probability that a passage supports an answer. When the best passage is below it, the question is refused. */
    readonly minScore: number;
  };
  readonly generation: {
    readonly maxNewTokens: number;
    readonly temperature: number;
    /** A language model elsewhere that writes the answers. @default none: those of `compression.model` */
    readonly endpoint?: EndpointConfig;
  };
  readonly guardrails: {
    /** True: answers even when no passage reaches `reranking.minScore`. */
    readonly allowOutOfContext: boolean;
    /** True: an answer without a verified quote is refused. */
    readonly requireCitations: boolean;
    /** Calibrated 0–1: answers below it are refused. 0 refuses none. @default 0.15 */
    readonly minConfidence: number;
    /** UTF-16 units a question may have. */
    readonly input: { readonly maxCharacters: number };
    /** Texts that an answer must not contain, upper and lower case alike. */
    readonly output: { readonly blocked: readonly string[] };
  };
  /** `max`: citations given with an answer at most. */
  readonly citations: { readonly max: number };
  readonly expansion: {
    /** `gate`: where the memory has probably lost the answer. */
    readonly when: "never" | "gate" | "always";
    /** Windows expanded to text per question at most. */
    readonly windows: number;
    /** Windows on either side that are expanded with each. */
    readonly neighbours: number;
    /** Tokens of all windows at most, neighbours included. */
    readonly maxTokens: number;
  };
  readonly cognitiveBrain: {
    readonly persona?: string;
    readonly tone?: string;
    readonly refusalMessage: string;
  };
}

/** A language model behind an endpoint that speaks OpenAI's protocol. */
export interface EndpointConfig {
  /** Base address, such as `http://127.0.0.1:8000/v1`. */
  readonly url: string;
  /** The name under which it serves the model. */
  readonly model: string;
  /** Environment variable that holds the key. @default none: no key is sent */
  readonly keyVariable?: string;
  /** `text`: windows or passages as a chat; `memory`: memories as prompt embeddings, for the decoder of an imported CLaRa. */
  readonly send: "text" | "memory";
  /** It is given up when it is silent for so long. */
  readonly timeoutSeconds: number;
  /** Further tries when it cannot be reached or has too much to do. */
  readonly retries: number;
}

/** What `parseConfig` and `loadConfig` give. */
export interface ParsedConfig {
  readonly config: RagConfig;
  /** By dotted YAML path below `rag_master`, such as `reranking.min_score`. */
  readonly sources: Readonly<Record<string, Source>>;
  /** Settings that are accepted although the chosen model cannot honour them, one sentence each. */
  readonly notes: readonly string[];
}
