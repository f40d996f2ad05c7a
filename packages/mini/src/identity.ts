// Written by scripts/adopt.ts together with data/; do not edit.
export const id = "clara-mini-0.3+68109af5ebfb";

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
  weights: "68109af5ebfb902602413754945588049246c3a27cbd1b263c515e1d1214ca23",
  tokenizer: "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
} as const;

export const bytes = { weights: 43408252, tokenizer: 466247 } as const;
