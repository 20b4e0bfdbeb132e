// The little that the tests of all stores say again and again.
import {
  isTurnstoreError,
  type SessionChange,
  type SessionRecord,
  type TurnstoreError,
} from '../../packages/core/dist/index.js'

export const at = '2026-01-31T12:00:00Z'

export const append = (...turnIds: string[]): SessionChange => ({
  appendTurns: turnIds.map(turnId => ({ turnId, prompt: `prompt of ${turnId}` })),
  updatedAt: at,
})

export const turnIdsOf = (session: SessionRecord | null): string[] | null =>
  session && session.turns.map(turn => turn.turnId)

/** The error that a call fails with. */
export async function failureOf(call: Promise<unknown>): Promise<TurnstoreError> {
  try {
    await call
  } catch (error) {
    if (isTurnstoreError(error)) return error
    throw error
  }
  throw new Error('the call succeeded')
}

/** What each call gives, or the error that it fails with. */
export async function outcomesOf(calls: readonly Promise<unknown>[]): Promise<unknown[]> {
  const results = await Promise.allSettled(calls)
  return results.map((result): unknown => (result.status === 'fulfilled' ? result.value : result.reason))
}
