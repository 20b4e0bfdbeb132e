import fs from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'
import { describe, expect, it, vi } from 'vitest'
import { at, failureOf } from '../../../../scripts/testing/sessions.ts'
import { waitForDescriptor } from '../../src/disk/descriptors.ts'
import { Folder } from '../folder.ts'

const folder = new Folder()

it('a listing without descriptors fails, and does not report a workspace as damaged or empty', async () => {
  const store = folder.open()
  await store.saveSession({ sessionId: 'plain', createdAt: at })
  await store.saveSession({ sessionId: 's', workspaceId: 'w', createdAt: at })
  const real = fs.readdirSync.bind(fs)
  const readdir = vi.spyOn(fs, 'readdirSync').mockImplementation((path, options) => {
    if (path === folder.path('w')) throw Object.assign(new Error('EMFILE'), { code: 'EMFILE' })
    return real(path, options)
  })
  syncBuiltinESMExports()
  try {
    for (const call of [
      () => store.listSessions(),
      () => store.querySessions(),
      () => store.listSessions({ workspaceId: 'w' }),
    ]) {
      expect(await failureOf(call())).toMatchObject({ code: 'STORE_UNAVAILABLE', cause: new Error('Error EMFILE') })
    }
  } finally {
    readdir.mockRestore()
    syncBuiltinESMExports()
  }
  expect((await store.listSessions()).toSorted()).toEqual(['plain', 's'])
})

describe('more sessions than the process may have files open', () => {
  const program = (order: string): string => `
    const ids = Array.from({ length: 200 }, (_, i) => 's' + i)
    const all = async call => {
      if (${order}) return Promise.all(ids.map(call))
      const answers = []
      for (const id of ids) answers.push(await call(id))
      return answers
    }
    for (const sessionId of ids) await store.saveSession({ sessionId, createdAt: at })
    for (const turnId of ['a', 'b']) {
      const answers = await all(id => store.changeSession(id, append(turnId)).then(() => 'stored', codeOf))
      say([...new Set(answers)].join())
    }
    const lengths = await all(id => store.loadSession(id).then(session => session.turns.length, codeOf))
    say([...new Set(lengths)].join())
    say((await store.listSessions()).length)
    await store.close()`

  // The locks keep up to 128 open, the journals 64, and 32 are written at a time.
  it.skipIf(process.platform !== 'linux').each([
    ['one by one', 'false'],
    ['at once', 'true'],
  ])('can be appended to and read %s (needs prlimit)', async (_name, order) => {
    const child = folder.run(program(order), { under: ['prlimit', '--nofile=300:300'] })
    expect(await child.rest()).toEqual(['stored', 'stored', '2', '200'])
    expect(child.errors).toBe('')
  })
})

it.skipIf(process.platform !== 'linux')('a lock without a descriptor fails and says so (needs prlimit)', async () => {
  await folder.once(store => store.saveSession({ sessionId: 's', createdAt: at }))
  const child = folder.run(
    `await store.ready()
    const held = []
    try { for (;;) held.push(fs.openSync('/dev/null')) } catch {}
    await store.deleteSession('none').catch(error => say(codeOf(error) + ' ' + error.message.replace(base, '')))
    for (const descriptor of held) fs.closeSync(descriptor)
    say((await store.changeSession('s', append('a'))).turnCount)`,
    { under: ['prlimit', '--nofile=90:90'] },
  )
  const [failure, turnCount] = await child.rest()
  expect(failure).toMatch(/^STORE_UNAVAILABLE not-stored The lock at .+: too many files are open \(EMFILE\)/)
  expect(turnCount).toBe('1')
})

describe('opening without a descriptor left', () => {
  it('is retried, since other code closes some', async () => {
    let attempts = 0
    const opened = await waitForDescriptor(async () => {
      if (++attempts < 4) throw Object.assign(new Error('too many'), { code: attempts % 2 ? 'EMFILE' : 'ENFILE' })
      return 'opened'
    })
    expect([opened, attempts]).toEqual(['opened', 4])
  })

  it('reports other errors at once', async () => {
    let attempts = 0
    const failure = waitForDescriptor(async () => {
      attempts++
      throw Object.assign(new Error('no'), { code: 'EACCES' })
    })
    await expect(failure).rejects.toMatchObject({ code: 'EACCES' })
    expect(attempts).toBe(1)
  })
})
