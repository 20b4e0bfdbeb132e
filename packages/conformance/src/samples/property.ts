import fc from 'fast-check'
import assert from 'node:assert/strict'
import { nameOf } from '../checks/expect.js'

/**
 * Checks a property with random input. A failure shows what is wrong with the smallest input found, that input, and how
 * to repeat it.
 */
export async function expectProperty<T>(
  { thorough, seed }: { readonly thorough: boolean; readonly seed: number | undefined },
  property: fc.IAsyncProperty<[T]>,
  { runs, tell }: { runs: number; tell: (input: T) => readonly string[] },
): Promise<void> {
  const details = await fc.check(property, {
    numRuns: thorough ? runs * 20 : runs,
    interruptAfterTimeLimit: thorough ? 400_000 : 15_000,
    ...(seed === undefined ? {} : { seed }),
  })
  if (!details.failed) return
  if (details.counterexample === null) assert.fail('there was no time for a single run')
  const cause = details.errorInstance
  const known = cause instanceof assert.AssertionError ? cause : undefined
  const [input] = details.counterexample
  const error = new assert.AssertionError({
    message: [
      known?.message ?? nameOf(cause),
      '  after:',
      ...tell(input).map(line => `    ${line}`),
      `  (shrunk ${details.numShrinks} times; seed: ${details.seed} among the options of the suite repeats it)`,
    ].join('\n'),
    ...(known?.operator === 'fail' ? {} : { actual: known?.actual, expected: known?.expected }),
    operator: 'fail',
  })
  if (cause instanceof Error && cause.stack !== undefined) error.stack = cause.stack
  throw error
}
