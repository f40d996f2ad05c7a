// Written by scripts/adopt.ts together with data/; do not edit.
export const id = "clara-mini-0.1+efe1e12a1ade";

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
  weights: "efe1e12a1adeb8535dff21f9df37486f3831b4770cbcda545a82f4e679a0f3a6",
  tokenizer: "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
} as const;

export const bytes = { weights: 33790976, tokenizer: 466247 } as const;
