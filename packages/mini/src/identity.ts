// Written by scripts/adopt.ts together with data/; do not edit.
export const id = "clara-mini-0.2+ed37da13ab56";

export const config = {
  width: 384,
  layers: 6,
  heads: 12,
  feedForward: 1536,
  vocabulary: 30522,
  positions: 512,
  layerNormEps: 1e-12,
} as const;

export const sha256 = {
  weights: "ed37da13ab566ca4cc00b5c7da54faf3462386a91ec6894cacdb6434e9e4ff70",
  tokenizer: "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
} as const;

export const bytes = { weights: 43408260, tokenizer: 466247 } as const;
