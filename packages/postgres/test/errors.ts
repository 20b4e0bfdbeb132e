import { inspect } from 'node:util'
import { type ErrorCode, isTurnstoreError, type TurnstoreError, type WriteOutcome } from '@turnstore/core'

/** Part of all content and passwords, which no error may show. */
export const SECRET = 'canary-7f3a'

/** The error of a call. Throws if the call succeeds, or if the error shows a secret. */
async function failureOf(call: () => unknown): Promise<TurnstoreError> {
  let error: unknown
  try {
    await call()
  } catch (thrown) {
    error = thrown
  }
  if (!isTurnstoreError(error)) throw new Error(`expected a TurnstoreError, got ${inspect(error)}`)
  if (inspect(error, { depth: Infinity, showHidden: true }).includes(SECRET)) {
    throw new Error('the error shows what none may')
  }
  return error
}

/** Checks the code, the outcome and the message of a failure. */
export async function assertFails(
  call: () => unknown,
  expected: { readonly code?: ErrorCode; readonly outcome?: WriteOutcome; readonly message: RegExp },
): Promise<void> {
  const { code, outcome, message } = await failureOf(call)
  const { code: wanted = 'STORE_UNAVAILABLE' } = expected
  if (code !== wanted) throw new Error(`expected ${wanted}, got ${code}: ${message}`)
  if (expected.outcome !== undefined && outcome !== expected.outcome) {
    throw new Error(`expected the outcome ${expected.outcome}, got ${outcome}: ${message}`)
  }
  if (!expected.message.test(message)) throw new Error(`expected ${expected.message}, got: ${message}`)
}
