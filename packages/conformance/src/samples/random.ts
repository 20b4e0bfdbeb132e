/** Numbers that follow from a seed (mulberry32), where nothing is to be shrunk: moments, and the work of processes. */
export class Random {
  #state: number

  constructor(seed: number) {
    this.#state = seed | 0
  }

  /** A whole number from 0 to below the bound. */
  below(bound: number): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) % bound
  }
}

/** That of the setup, or any. */
export function seedOf({ seed }: { readonly seed: number | undefined }): number {
  return seed ?? Math.floor(Math.random() * 2 ** 31)
}

/** Runs what follows from a seed, and says by which one a failure comes again. */
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

/** The same failure, with how to repeat it. */
export function withSeed(error: unknown, seed: number): unknown {
  if (error instanceof Error) error.message += `\n  (seed: ${seed} among the options of the suite repeats it)`
  return error
}
