import { describe, expect, it, vi } from 'vitest'
import { retryConflicts } from '../../src/adapter.ts'
import { TurnstoreError } from '../../src/index.ts'

const conflict = () => new TurnstoreError('REVISION_CONFLICT', 'overtaken', { outcome: 'not-stored' })

describe('Work that other writers overtake', () => {
  it('is repeated until it succeeds', async () => {
    let attempts = 0
    const work = async (): Promise<number> => {
      if (++attempts < 5) throw conflict()
      return attempts
    }
    expect(await retryConflicts('s', work)).toBe(5)
  })

  it('is given up after ten seconds with STORE_BUSY', async () => {
    vi.useFakeTimers()
    try {
      const given = retryConflicts('s', async () => Promise.reject(conflict())).catch((error: unknown) => error)
      await vi.advanceTimersByTimeAsync(11_000)
      expect(await given).toMatchObject({
        code: 'STORE_BUSY',
        outcome: 'not-stored',
        sessionId: 's',
      })
    } finally {
      vi.useRealTimers()
    }
  })

  it('is not repeated after another error', async () => {
    let attempts = 0
    const gone = new TurnstoreError('SESSION_NOT_FOUND', 'gone', { outcome: 'not-stored' })
    const work = async (): Promise<void> => {
      if (++attempts === 1) throw gone
    }
    await expect(retryConflicts('s', work)).rejects.toBe(gone)
    expect(attempts).toBe(1)
    attempts = 0
    await retryConflicts('s', work, ['SESSION_NOT_FOUND'])
    expect(attempts).toBe(2)
  })
})
