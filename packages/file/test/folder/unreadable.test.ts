import { execFileSync } from 'node:child_process'
import { chmodSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { isRoot } from '../../../../scripts/testing/machine.ts'
import { at, failureOf } from '../../../../scripts/testing/sessions.ts'
import { unreadable } from '../../src/folder/file-errors.ts'
import { Folder } from '../folder.ts'
import { text } from '../left-session.ts'

const folder = new Folder()

/** Runs as an account that is subject to file modes. */
function runAsUser(base: string, code: string): Promise<string[]> {
  if (isRoot) execFileSync('chown', ['-R', '65534', folder.base])
  return folder.run(code, { base, ...(isRoot ? { uid: 65_534 } : {}) }).rest()
}

describe.skipIf(process.getuid === undefined)('a folder that cannot be read', () => {
  it.each([
    ['000', 0o000],
    ['400', 0o400],
    ['100', 0o100],
  ])('of one workspace is reported, and sessions of the others keep working (mode %s)', async (_name, mode) => {
    const base = folder.path('base')
    const writer = folder.open({}, base)
    for (const workspaceId of [null, 'before', 'locked', 'with']) {
      await writer.saveSession({ sessionId: `s-${workspaceId}`, workspaceId, createdAt: at })
    }
    await writer.close()
    chmodSync(`${base}/locked`, mode)
    const lines = await runAsUser(
      base,
      `const page = await store.querySessions()
      say(page.sessions.map(({ sessionId }) => sessionId).sort().join())
      say(page.damaged.map(({ sessionId, code, message }) => [sessionId, code, message.includes(base + '/locked')]))
      const seen = []
      try {
        for await (const { sessionId } of store.sessions()) seen.push(sessionId)
      } catch (error) {
        seen.push(codeOf(error))
      }
      say(seen.length)
      say((await store.listSessions()).includes('s-with'))
      for (const id of ['s-null', 's-before', 's-with']) {
        say((await store.loadSession(id)).sessionId)
        say((await store.changeSession(id, append('t'))).revision)
      }
      say(await store.loadSession('none', { workspaceId: 'with' }))
      say(await store.deleteSession('s-with'))`,
    )
    expect(lines).toEqual([
      's-before,s-null,s-with',
      `${mode === 0o400 ? 's-locked' : '"locked/"'},CORRUPT_SESSION,true`,
      '4',
      'true',
      ...['s-null', 's-before', 's-with'].flatMap(id => [id, '2']),
      'null',
      'true',
    ])
  })

  it.each([
    ['000', 0o000],
    ['400', 0o400],
  ])('is named if it may contain a session that is found nowhere else (mode %s)', async (_name, mode) => {
    const base = folder.path('base')
    const writer = folder.open({}, base)
    await writer.saveSession({ sessionId: 'locked', workspaceId: 'locked', createdAt: at })
    await writer.close()
    chmodSync(`${base}/locked`, mode)
    const lines = await runAsUser(
      base,
      `for (const sessionId of ['none', 'locked']) {
        for (const call of [
          () => store.loadSession(sessionId),
          () => store.changeSession(sessionId, append('t')),
          () => store.saveSession({ sessionId }),
        ]) await call().then(say, error => say(codeOf(error) + ': ' + error.message))
      }`,
    )
    const message = `: "${base}/locked" cannot be read (EACCES). Let this account read it, or move it away`
    const outcomes = ['', 'not-stored', 'not-stored']
    expect(lines).toEqual([...outcomes, ...outcomes].map(outcome => `STORE_UNAVAILABLE ${outcome}${message}`))
  })

  it.each([
    ['base', ''],
    ['own folder', '/.turnstore'],
    ['format', '/.turnstore/format'],
  ])('of the store is named in the error of every call (%s)', async (_name, path) => {
    const base = folder.path('base')
    const writer = folder.open({}, base)
    await writer.saveSession({ sessionId: 's', createdAt: at })
    await writer.close()
    chmodSync(`${base}${path}`, 0o000)
    const lines = await runAsUser(
      base,
      `for (const call of [
        () => store.loadSession('s'),
        () => store.listSessions(),
        () => store.changeSession('s', append('t')),
        () => store.saveSession({ sessionId: 's' }),
      ]) await call().then(say, error => say(codeOf(error) + error.message))`,
    )
    for (const [index, each] of lines.entries()) {
      expect(each).toMatch(/^STORE_UNAVAILABLE/)
      expect(each).toContain(`"${base}${path}`)
      expect(each).toContain('cannot be read (EACCES). Let this account read it')
      expect(each.startsWith('STORE_UNAVAILABLE not-stored')).toBe(index > 1)
    }
    expect(lines).toHaveLength(4)
  })

  it('is named if it is a file in place of the store’s own folder', async () => {
    writeFileSync(folder.path('.turnstore'), '')
    const store = folder.open()
    for (const call of [store.loadSession('s'), store.listSessions(), store.saveSession({ sessionId: 's' })]) {
      const error = await failureOf(call)
      expect(error.code).toBe('STORE_UNAVAILABLE')
      expect(error.message).toContain(`"${folder.path('.turnstore')}" is a file where a folder must be. Move it away`)
    }
  })

  it.each([
    ['EACCES', 'cannot be read (EACCES). Let this account read it, or move it away'],
    ['EIO', 'cannot be read (EIO). The disk or its file system failed. See the system log'],
    ['EMFILE', 'cannot be read (EMFILE). Too many files are open. Raise the limit of the process, or close some'],
    ['ENAMETOOLONG', 'cannot be read (ENAMETOOLONG)'],
  ])('is reported with advice for %s', (code, message) => {
    const error = unreadable('/base/w', Object.assign(new Error('SECRET'), { code }))
    expect(error.message).toBe(`"/base/w" ${message}`)
  })
})

describe.skipIf(process.platform !== 'linux')('a name that is not UTF-8', () => {
  const bytes = (name: string): Buffer => Buffer.from(folder.path(name), 'latin1')

  it('is reported if it ends in .json or is a folder, and is never a session', async () => {
    const writer = folder.open()
    await writer.saveSession({ sessionId: 's', workspaceId: 'w', createdAt: at })
    await writer.saveSession({ sessionId: 'caf\ufffd', createdAt: at })
    for (const name of ['caf\u00e9.json', 'w/caf\u00e9.json', 'caf\u00e9.txt']) writeFileSync(bytes(name), text({}))
    mkdirSync(bytes('d\u00e9'))
    const store = folder.open()
    expect((await store.listSessions()).toSorted()).toEqual(['caf\ufffd', 's'])
    const page = await store.querySessions()
    expect(page.sessions.map(({ sessionId }) => sessionId).toSorted()).toEqual(['caf\ufffd', 's'])
    expect(page.damaged?.map(({ sessionId, code }) => [sessionId, code]).toSorted()).toEqual([
      ['"caf\\xE9.json"', 'CORRUPT_SESSION'],
      ['"caf\\xE9.json"', 'CORRUPT_SESSION'],
      ['"d\\xE9/"', 'CORRUPT_SESSION'],
    ])
    const messages = page.damaged?.map(({ message }) => message).join()
    expect(messages).toContain(`"${folder.path('w')}": the name of "caf\\xE9.json"`)
    expect((await store.querySessions({ workspaceId: 'w' })).damaged).toHaveLength(1)
    expect(await store.loadSession('caf\ufffd')).not.toBeNull()
    const seen: string[] = []
    const all = (async () => {
      for await (const { sessionId } of store.sessions()) seen.push(sessionId)
    })()
    expect((await failureOf(all)).code).toBe('CORRUPT_SESSION')
    expect(seen).toHaveLength(2)
  })
})

describe.skipIf(process.getuid === undefined)('a folder that cannot be written', () => {
  it('can be listed and read, and a write says that permission is denied (it said ERR_SQLITE_ERROR 14)', async () => {
    const base = folder.path('base')
    const writer = folder.open({}, base)
    for (const sessionId of ['a', 'b']) await writer.saveSession({ sessionId, turns: [{ turnId: 't' }], createdAt: at })
    await writer.changeSession('a', { appendTurns: [{ turnId: 'u' }], updatedAt: at })
    await writer.close()
    if (isRoot) execFileSync('chown', ['-R', '65534', folder.base])
    execFileSync('chmod', ['-R', 'a-w', base])
    const lines = await runAsUser(
      base,
      `say((await store.listSessions()).sort().join())
      say((await store.querySessions()).sessions.length)
      say((await store.loadSession('a')).turns.length)
      for (const write of [
        () => store.deleteSession('a'),
        () => store.changeSession('a', append('v')),
        () => store.saveSession({ sessionId: 'c' }),
      ]) {
        const error = await write().then(() => 'written', error => error)
        say(codeOf(error) + ' ' + error.message.includes('permission denied: EACCES'))
      }`,
    )
    expect(lines.slice(0, 3)).toEqual(['a,b', '2', '2'])
    expect(lines.slice(3)).toEqual(Array.from({ length: 3 }, () => 'STORE_UNAVAILABLE not-stored true'))
  })
})

describe.skipIf(process.getuid === undefined)('lock files that may only be read', () => {
  it('let no one write, since they would exclude no one', async () => {
    const base = folder.path('base')
    const writer = folder.open({}, base)
    await writer.saveSession({ sessionId: 's' })
    await writer.close()
    const locks = `${base}/.turnstore/locks`
    for (const name of readdirSync(locks)) chmodSync(`${locks}/${name}`, 0o444)
    const lines = await runAsUser(
      base,
      `try {
        await store.changeSession('s', append('t'))
        say('stored')
      } catch (error) {
        say(codeOf(error))
        say(error.message.includes('EACCES'))
      }
      say((await store.loadSession('s')).turns.length)`,
    )
    expect(lines).toEqual(['STORE_UNAVAILABLE not-stored', 'true', '0'])
  })
})
