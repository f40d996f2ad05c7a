/** What a run will ask of an endpoint. Nothing is known of its replies yet, so both figures are rough. */
export interface Estimate {
  readonly passages: number;
  readonly requests: number;
  readonly tokensIn: number;
  readonly tokensOut: number;
  /** In the currency of the prices; null without prices. */
  readonly price: number | null;
  /** The same if every passage used up its rounds. */
  readonly most: {
    readonly requests: number;
    readonly tokensIn: number;
    readonly tokensOut: number;
    readonly price: number | null;
  };
}

export interface Prices {
  /** For a million tokens. */
  readonly in: number;
  readonly out: number;
}

/** Tokens of the instructions around a passage, measured on the prompts. */
const around = 190;
/** Rounds that a passage usually takes: one that verifies, every other time one that asks again. */
const usualRounds = 1.5;

/** @param lengths tokens of each passage */
export function estimate(
  lengths: readonly number[],
  { rounds, paraphrases, prices }: { rounds: number; paraphrases: boolean; prices: Prices | null },
): Estimate {
  const perRound = (count: number) => {
    let requests = 0;
    let tokensIn = 0;
    let tokensOut = 0;
    for (const length of lengths) {
      const pairs = 40 + length * 0.9;
      requests += 2 + count * 2 - 0.5 * Math.min(count, 1);
      tokensIn += 2 * (length + around) + count * (2 * length + pairs + 2 * around);
      tokensOut += pairs + 150 + count * (60 + pairs * 0.25);
      if (paraphrases) {
        requests += count > usualRounds ? rounds : 1;
        tokensIn += (length + 90) * (count > usualRounds ? rounds : 1);
        tokensOut += length * 1.2 * (count > usualRounds ? rounds : 1);
      }
    }
    const total = { requests: Math.round(requests), tokensIn: Math.round(tokensIn), tokensOut: Math.round(tokensOut) };
    return {
      ...total,
      price:
        prices === null ? null : Math.round((total.tokensIn * prices.in + total.tokensOut * prices.out) / 1e4) / 100,
    };
  };
  return { passages: lengths.length, ...perRound(Math.min(usualRounds, rounds)), most: perRound(rounds) };
}
