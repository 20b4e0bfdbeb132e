import { chmodSync, statSync, writeFileSync } from 'node:fs'
import { type SqliteSessionStoreOptions, SqliteSessionStore } from '@turnstore/sqlite'
import { describe, expect, it } from 'vitest'
import { containing } from '../../../../scripts/testing/matchers.ts'
import { at, failureOf } from '../../../../scripts/testing/sessions.ts'
import { applySettings } from '../../src/database/pragmas.ts'
import { Folder } from '../folder.ts'

const folder = new Folder()

describe('a database that the store created', () => {
  it('has pages of 8 KiB and a WAL, and only its owner can read it', async () => {
    const store = folder.open()
    await store.saveSession({ sessionId: 's', createdAt: at })
    for (const end of ['', '-wal', '-shm'])
      expect([end, statSync(folder.database + end).mode & 0o777]).toEqual([end, 0o600])
    const handle = folder.handle()
    expect(
      ['page_size', 'journal_mode', 'encoding', 'auto_vacuum', 'user_version', 'application_id'].map(name =>
        handle.pragma(name, { simple: true }),
      ),
    ).toEqual([8192, 'wal', 'UTF-8', 0, 0, 0])
    handle.close()
    await store.close()
    expect(statSync(folder.database).mode & 0o777).toBe(0o600)
  })

  it('keeps the permissions and the page size that it already had', async () => {
    const handle = folder.handle()
    handle.exec('PRAGMA page_size = 4096; CREATE TABLE notes (text TEXT)')
    handle.close()
    chmodSync(folder.database, 0o640)
    await folder.once(store => store.saveSession({ sessionId: 's' }))
    expect(statSync(folder.database).mode & 0o777).toBe(0o640)
    expect(folder.handle().pragma('page_size', { simple: true })).toBe(4096)
  })

  it.each([
    ['FULL', 2, 1],
    ['NORMAL', 1, 0],
  ] as const)(
    'is used with the right settings for synchronous = %s, whatever they were before',
    (synchronous, number, fullfsync) => {
      const handle = folder.handle()
      handle.exec(`PRAGMA busy_timeout = 5000; PRAGMA synchronous = OFF;
        PRAGMA fullfsync = ${1 - fullfsync}; PRAGMA foreign_keys = OFF;
      PRAGMA trusted_schema = ON; PRAGMA cell_size_check = OFF; PRAGMA mmap_size = 1000000`)
      applySettings(handle, synchronous)
      const names = [
        'busy_timeout',
        'journal_mode',
        'synchronous',
        'fullfsync',
        'foreign_keys',
        'trusted_schema',
        'cell_size_check',
        'mmap_size',
      ]
      expect(names.map(name => handle.pragma(name, { simple: true }))).toEqual([
        0,
        'wal',
        number,
        fullfsync,
        1,
        0,
        1,
        0,
      ])
    },
  )
})

describe('capabilities', () => {
  const least = { durability: 'none', sharing: 'process', constantAppend: true, constantStep: true, search: 'scan' }
  const ofMemory = { durability: 'none', sharing: 'process', constantAppend: true, constantStep: true, search: 'scan' }
  const host = (durability: string): object => ({
    durability,
    sharing: 'host',
    constantAppend: true,
    constantStep: true,
    search: 'scan',
  })
  const sources: [string, SqliteSessionStoreOptions, object][] = [
    ['path', {}, host('power-loss')],
    ['path', { durability: 'power-loss' }, host('power-loss')],
    ['path', { durability: 'process-crash' }, host('process-crash')],
    ['memory', {}, ofMemory],
    ['memory', { durability: 'process-crash' }, ofMemory],
    ['shared', {}, host('power-loss')],
    ['shared', { durability: 'process-crash' }, host('process-crash')],
    ['shared memory', {}, ofMemory],
  ]

  it.each(sources)(
    'of %s with %j are minimal until the store is ready, and then true',
    async (source, options, expected) => {
      const path = source.endsWith('memory') ? ':memory:' : folder.database
      const store = folder.open(options, source.startsWith('shared') ? folder.shared(path) : path)
      expect(store.capabilities).toEqual(least)
      await store.ready()
      expect(store.capabilities).toEqual(expected)
    },
  )

  it('stay minimal while the database cannot be opened, and become true once it can', async () => {
    writeFileSync(folder.database, 'no database'.repeat(1000))
    const store = folder.open()
    expect((await failureOf(store.ready())).code).toBe('STORE_UNAVAILABLE')
    expect(store.capabilities).toEqual(least)
    writeFileSync(folder.database, '')
    await store.ready()
    expect(store.capabilities).toEqual(host('power-loss'))
  })
})

describe('options', () => {
  const wrong: [unknown, string][] = [
    [{ durability: 'none' }, 'options.durability must be power-loss or process-crash'],
    [{ durability: null }, 'options.durability'],
    [{ durabilty: 'power-loss' }, 'durabilty'],
    [{ timeout: 5 }, 'timeout'],
    [{ timeoutMs: 0 }, 'options.timeoutMs'],
    [{ timeoutMs: 1.5 }, 'options.timeoutMs'],
    [{ timeoutMs: '5' }, 'options.timeoutMs'],
    [{ limits: { turnByte: 5 } }, 'turnByte'],
    [{ limits: { turnBytes: -1 } }, 'turnBytes'],
    [{ readonly: true }, 'readonly'],
    [7, 'options'],
    [null, 'options'],
  ]
  it.each(wrong)('%j are refused by name', (options, name) => {
    const construct = (): unknown => Reflect.construct(SqliteSessionStore, [folder.database, options])
    expect(construct).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT', message: containing(name) }))
  })

  it.each([
    ['backup', 'copy.db', { overwrite: true }],
    ['backup', 'copy.db', undefined],
    ['checkIntegrity', { quick: true }],
  ] as const)('of a method that takes none are refused: %s(%j, %j)', async (method, ...given) => {
    const store = folder.open()
    const [first, ...others] = given
    const values = typeof first === 'string' ? [folder.path(first), ...others] : given
    const call: unknown = Reflect.apply(store[method], store, values)
    const error = await failureOf(Promise.resolve(call))
    expect(error).toMatchObject({ code: 'INVALID_ARGUMENT', message: containing(`${method} takes`) })
  })

  it.each([
    'deleteSession',
    'loadSession',
    'loadSummary',
    'listSessions',
    'querySessions',
    'readTurns',
    'saveSession',
    'changeSession',
  ] as const)('of %s that it does not know are refused by name', async method => {
    const store = folder.open()
    const wrong = { workspaceID: 'w' }
    const values = {
      deleteSession: ['s', wrong],
      loadSession: ['s', wrong],
      loadSummary: ['s', wrong],
      listSessions: [wrong],
      querySessions: [wrong],
      readTurns: ['s', { last: 1 }, wrong],
      saveSession: [{ sessionId: 's' }, wrong],
      changeSession: ['s', { updatedAt: at }, wrong],
    }[method]
    const call: unknown = Reflect.apply(store[method], store, values)
    expect(await failureOf(Promise.resolve(call))).toMatchObject({
      code: 'INVALID_ARGUMENT',
      message: containing('workspaceID'),
    })
  })

  it('apply to this store: limits', async () => {
    const store = folder.open({ limits: { turnBytes: 100 } })
    await store.saveSession({ sessionId: 's', createdAt: at })
    const change = { appendTurns: [{ turnId: 't', prompt: 'x'.repeat(200) }], updatedAt: at }
    expect(await failureOf(store.changeSession('s', change))).toMatchObject({
      code: 'INVALID_RECORD',
      outcome: 'not-stored',
    })
    expect((await folder.open().changeSession('s', change)).turnCount).toBe(1)
  })

  it.each([2 ** 31, Number.MAX_SAFE_INTEGER])('apply to this store: timeoutMs of %i', async timeoutMs => {
    const store = folder.open({ timeoutMs })
    await store.saveSession({ sessionId: 's', createdAt: at })
    await store.backup(folder.path('copy.db'))
    expect(await store.checkIntegrity()).toEqual({ ok: true, problems: [] })
  })
})
