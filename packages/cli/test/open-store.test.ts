import { existsSync, readdirSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { openStore } from 'turnstore'
import { describe, expect, it } from 'vitest'
import { importText, temporaryFolder, turnstore } from './turnstore.ts'

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

describe('a folder that is misspelt', () => {
  it.each([
    [['ls']],
    [['show', 'a']],
    [['export']],
    [['export', 'a']],
    [['copy', '--to', 'memory:']],
    [['rm', 'a']],
    [['rm', '--workspace', 'w']],
    [['prune', '--ended']],
  ])('is told by what only reads or deletes, and not created: %j', async args => {
    const path = join(temporaryFolder(), 'typo')
    expect(await turnstore(args, { url: `file:${path}` })).toEqual({
      code: 2,
      stdout: '',
      stderr: `There is no folder ${JSON.stringify(path)}\n`,
    })
    expect(existsSync(path)).toBe(false)
  })

  it('is created by import and by copy, which does so only where there is something to read', async () => {
    const folder = temporaryFolder()
    const [source, target] = [join(folder, 'source'), join(folder, 'target')]
    expect(await turnstore(['copy', '--from', `file:${source}`, '--to', `file:${target}`])).toMatchObject({ code: 2 })
    expect(readdirSync(folder)).toEqual([])
    expect(await importText('{"id":"a","messages":[]}', { url: `file:${source}` })).toMatchObject({ code: 0 })
    expect(await turnstore(['copy', '--from', `file:${source}`, '--to', `file:${target}`])).toMatchObject({ code: 0 })
    expect(readdirSync(folder).toSorted()).toEqual(['source', 'target'])
  })

  it('is not said of what cannot be looked at', async () => {
    const path = join(temporaryFolder(), 'loop')
    symlinkSync(path, path)
    for (const scheme of ['file', 'sqlite']) {
      const { code, stdout, stderr } = await turnstore(['ls'], { url: `${scheme}:${path}` })
      expect([scheme, code, stdout]).toEqual([scheme, 1, ''])
      expect(stderr).not.toContain('There is no')
    }
  })
})
