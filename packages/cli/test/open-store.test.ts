import { openStore } from 'turnstore'
import { describe, expect, it } from 'vitest'

describe('openStore', () => {
  it('opens a store in Redis without a word to the server, which is asked when it is first used', async () => {
    for (const url of ['redis://127.0.0.1:1', 'rediss://127.0.0.1:1', 'redis-cluster://127.0.0.1:1,127.0.0.1:2', 'REDIS://127.0.0.1:1/3']) {
      const store = await openStore(url)
      expect(store.constructor.name).toBe('RedisSessionStore')
      await store.close()
    }
  })

  it('refuses a URL of Redis that is none, and does not repeat it', async () => {
    for (const url of ['redis:canary', 'redis://u:canary@', 'redis-cluster://u:canary@', 'rediss:canary']) {
      const error: unknown = await openStore(url).catch((reason: unknown) => reason)
      expect(error).toMatchObject({ code: 'INVALID_ARGUMENT' })
      expect(String(error)).not.toContain('canary')
    }
  })
})
