import { inspect } from 'node:util'
import { describe, expect, it } from 'vitest'
import { DocumentSessionStore, type Loaded } from '../../src/stores/document-session-store.ts'
import { isTurnstoreError, safeCause, TurnstoreError, withDetails } from '../../src/basics/errors.ts'
import { createSession } from '../../src/records/factories.ts'
import type { SessionRecord } from '../../src/records/models.ts'
import type { Capabilities } from '../../src/stores/session-store.ts'

/** A store whose hooks are set by the test. */
class HookedStore extends DocumentSessionStore {
  readonly capabilities: Capabilities = {
    durability: 'none',
    sharing: 'process',
    constantAppend: false,
    constantStep: false,
    search: 'scan',
  }
  onReady = async (): Promise<void> => {}
  onClose = async (): Promise<void> => {}
  onLoad = async (): Promise<Loaded | null> => null
  onSave = async (_session: SessionRecord): Promise<boolean> => true

  constructor(timeoutMs?: number) {
    super(timeoutMs === undefined ? {} : { timeoutMs })
  }

  protected override _ready = (): Promise<void> => this.onReady()
  protected override _close = (): Promise<void> => this.onClose()
  protected _get = (): Promise<Loaded | null> => this.onLoad()
  protected _put = (session: SessionRecord): Promise<boolean> => this.onSave(session)
  protected _delete = async (): Promise<boolean> => true
  protected _ids = async (): Promise<string[]> => ['s']
}

const secret = 'redis://u:secret@host'
const driverError = Object.assign(new Error(`${secret}: ECONNRESET`), {
  code: 'ECONNRESET',
  command: { args: [secret] },
})
const failing = async (): Promise<never> => {
  throw driverError
}
const loaded = async (): Promise<Loaded> => ({ session: createSession({ sessionId: 's' }), token: 1 })

async function errorOf(call: Promise<unknown>): Promise<TurnstoreError> {
  const error: unknown = await call.then(
    () => null,
    (reason: unknown) => reason,
  )
  if (!isTurnstoreError(error)) throw new Error('it did not fail with a TurnstoreError')
  return error
}

describe('an error thrown by a hook', () => {
  it('becomes STORE_UNAVAILABLE with a cause that is safe to print', async () => {
    const store = new HookedStore()
    store.onLoad = failing
    const error = await errorOf(store.loadSession('s'))
    expect([error.code, error.sessionId, error.outcome]).toStrictEqual(['STORE_UNAVAILABLE', 's', undefined])
    expect(inspect(error, { depth: Infinity, showHidden: true })).not.toContain('secret')
    expect(String(error.cause)).toBe('Error: Error ECONNRESET')
  })

  it('sets outcome: not-stored if loading failed, unknown if saving failed', async () => {
    const store = new HookedStore()
    store.onLoad = failing
    expect((await errorOf(store.saveSession({ sessionId: 's' }))).outcome).toBe('not-stored')
    store.onLoad = loaded
    store.onSave = failing
    expect((await errorOf(store.saveSession({ sessionId: 's' }))).outcome).toBe('unknown')
    expect((await errorOf(store.changeSession('s', { agentId: 'a', updatedAt: '' }))).outcome).toBe('unknown')
  })

  it('is kept if it is a TurnstoreError', async () => {
    const store = new HookedStore()
    store.onLoad = loaded
    store.onSave = async () => {
      throw new TurnstoreError('STORE_BUSY', 'later', { outcome: 'not-stored' })
    }
    const error = await errorOf(store.saveSession({ sessionId: 's' }))
    expect([error.code, error.outcome, error.sessionId]).toStrictEqual(['STORE_BUSY', 'not-stored', 's'])
  })
})

it('a write that loses every race fails with STORE_BUSY after its deadline', async () => {
  const store = new HookedStore(20)
  store.onLoad = loaded
  store.onSave = async () => false
  expect(await errorOf(store.saveSession({ sessionId: 's' }))).toMatchObject({
    code: 'STORE_BUSY',
    outcome: 'not-stored',
  })
})

it('ready is retried after a failure, and a write that waited for it has outcome not-stored', async () => {
  const store = new HookedStore()
  store.onReady = failing
  expect(await errorOf(store.saveSession({ sessionId: 's' }))).toMatchObject({
    code: 'STORE_UNAVAILABLE',
    outcome: 'not-stored',
  })
  store.onReady = async () => {}
  await expect(store.saveSession({ sessionId: 's' })).resolves.toBe(1)
})

it('close reports a failure of the backend and still closes the store', async () => {
  const store = new HookedStore()
  store.onClose = failing
  expect((await errorOf(store.close())).code).toBe('STORE_UNAVAILABLE')
  expect((await errorOf(store.loadSession('s'))).code).toBe('STORE_CLOSED')
})

it('damaged sessions are listed with the others, and an iteration throws after the last session', async () => {
  const store = new HookedStore()
  store.onLoad = async () => {
    throw new TurnstoreError('CORRUPT_SESSION', 'line 3')
  }
  const page = await store.querySessions()
  expect(page).toStrictEqual({
    sessions: [],
    cursor: null,
    damaged: [{ sessionId: 's', code: 'CORRUPT_SESSION', message: 'line 3' }],
  })
  const all = store.sessions()[Symbol.asyncIterator]()
  expect(await errorOf(all.next())).toMatchObject({ code: 'CORRUPT_SESSION', sessionId: 's' })
})

describe('an error', () => {
  it('is identified by its code, from any copy of core', () => {
    const foreign = Object.assign(new Error('x'), { name: 'TurnstoreError', code: 'STORE_BUSY' })
    expect([
      isTurnstoreError(foreign),
      isTurnstoreError(foreign, 'STORE_BUSY'),
      isTurnstoreError(foreign, 'STORE_CLOSED'),
    ]).toStrictEqual([true, true, false])
    for (const other of [
      new Error('x'),
      { name: 'TurnstoreError', code: 'STORE_BUSY' },
      Object.assign(new Error('x'), { code: 'ENOENT' }),
      null,
    ]) {
      expect(isTurnstoreError(other)).toBe(false)
    }
  })

  it('keeps its own details when details are added', () => {
    const error = new TurnstoreError('STORE_BUSY', 'x', { outcome: 'not-stored' })
    expect(withDetails(error, { outcome: 'unknown', sessionId: 's' })).toMatchObject({
      outcome: 'not-stored',
      sessionId: 's',
      message: 'x',
      stack: error.stack,
    })
  })

  it('has a safe cause that quotes nothing', () => {
    expect(safeCause(driverError).message).toBe('Error ECONNRESET')
    expect(safeCause(Object.assign(new Error('x'), { name: secret, code: secret })).message).toBe('Error')
    expect(safeCause(secret).message).toBe('Error')
  })
})
