import { isTurnstoreError } from '@turnstore/core'
import { InMemorySessionStore } from '@turnstore/memory'
import { describe, expect, it } from 'vitest'

/** The message of the refusal of options. */
function refusal(options: object): string {
  try {
    return new InMemorySessionStore(options).capabilities.durability
  } catch (error) {
    return isTurnstoreError(error, 'INVALID_ARGUMENT') ? error.message : String(error)
  }
}

describe('the options of InMemorySessionStore', () => {
  it('are limits and timeoutMs', async () => {
    const store = new InMemorySessionStore({ limits: { turnBytes: 100 }, timeoutMs: 5 })
    const tooLarge = store.saveSession({ sessionId: 's', turns: [{ turnId: 't', prompt: 'x'.repeat(101) }] })
    await expect(tooLarge).rejects.toMatchObject({ code: 'INVALID_RECORD', outcome: 'not-stored' })
  })

  it.each([
    ['a misspelt option', { timeout: 5 }, 'options has no member "timeout"'],
    ['a timeout that is not a whole number', { timeoutMs: 1.5 }, 'options.timeoutMs must be a whole number'],
    ['a misspelt limit', { limits: { turnbytes: 1 } }, 'limits has no member "turnbytes"'],
  ])('refuse %s', (_what, options, message) => {
    expect(refusal(options)).toContain(message)
  })
})
