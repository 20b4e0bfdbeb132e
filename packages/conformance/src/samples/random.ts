/** Seeded random numbers (mulberry32) for what is not shrunk: timing and the work of processes. */
export class Random {
  #state: number

  constructor(seed: number) {
    this.#state = seed | 0
  }

  /** An integer from 0 to bound - 1. */
  below(bound: number): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) % bound
  }
}

/** The setup's seed, or a random one. */
export function seedOf({ seed }: { readonly seed: number | undefined }): number {
  return seed ?? Math.floor(Math.random() * 2 ** 31)
}

/** Runs a function with a seed, and adds the seed to a failure. */
export async function seeded(
  cases: { readonly seed: number | undefined },
  body: (random: Random) => Promise<void>,
): Promise<void> {
  const seed = seedOf(cases)
  try {
    await body(new Random(seed))
  } catch (error) {
    throw withSeed(error, seed)
  }
}

/** Adds how to repeat it to a failure. */
export function withSeed(error: unknown, seed: number): unknown {
  if (error instanceof Error) error.message += `\n  (seed: ${seed} among the options of the suite repeats it)`
  return error
}
