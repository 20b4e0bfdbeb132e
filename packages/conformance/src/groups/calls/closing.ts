import type { Cases, Group } from '../../cases/cases.js'
import { fails, holds, refuses, same } from '../../checks/expect.js'
import { gather, methods } from '../../samples/methods.js'
import { appendOf, sessionOf, turnIdsOf } from '../../samples/samples.js'

/** Every method on an open, closing and closed store. */
export const closingGroup: Group = { title: 'Opening and closing', define }

function define({ it, capabilities }: Cases): void {
  it('settles', 'serves every method without a call of ready', async ({ open }) => {
    for (const [name, { call }] of Object.entries(methods)) {
      const store = await open()
      if (name === 'changeSession')
        await fails(() => call(store, 's'), 'SESSION_NOT_FOUND', 'changeSession on a new store')
      else await call(store, 's')
    }
  })

  it('settles', 'can be asked repeatedly whether it is ready', async ({ store }) => {
    await Promise.all([store.ready(), store.ready()])
    await store.ready()
    await store.saveSession(sessionOf('s'))
    await store.ready()
  })

  it('settles', 'finishes calls in progress before it is closed', async ({ store }) => {
    await store.saveSession(sessionOf('s'))
    const underWay = new Set(Object.keys(methods))
    const calls = Object.entries(methods).map(async ([name, { call }]) => {
      await call(store, name === 'deleteSession' ? 'other' : 's')
      underWay.delete(name)
    })
    underWay.add('ready')
    const outcomes = Promise.allSettled([...calls, store.ready().then(() => underWay.delete('ready'))])
    await store.close()
    // A settled call may still have to reach its caller.
    await new Promise(setImmediate)
    same([...underWay], [], 'calls in progress that have not succeeded when the store is closed')
    await outcomes
  })

  it('settles', 'closes even if a call in progress fails, and reports that error', async ({ store }) => {
    await store.saveSession(sessionOf('s'))
    const late = () => store.saveSession(sessionOf('s'), { ifRevision: 7 })
    const failing = Promise.all([
      refuses(late, 'REVISION_CONFLICT', 'a save in progress when the store was closed', { actualRevision: 1 }),
      refuses(() => store.changeSession('none', appendOf('t')), 'SESSION_NOT_FOUND', 'a change in progress'),
    ])
    const closing = store.close()
    await failing
    await closing
  })

  it(
    'stored',
    'keeps writes that were acknowledged while it closed',
    async ({ store, reopen }) => {
      await store.saveSession(sessionOf('s'))
      const other = await reopen()
      const appends = ['a', 'b', 'c'].map(turnId => store.changeSession('s', appendOf(turnId)))
      await store.close()
      await Promise.all(appends)
      const session = await other.loadSession('s')
      same(session && turnIdsOf(session).toSorted(), ['a', 'b', 'c'], 'the turns, seen by another handle')
      same((await other.changeSession('s', appendOf('d'))).turnCount, 4, 'a change by the other handle')
    },
    { needs: 'reopen' },
  )

  for (const state of ['closing', 'closed'] as const) {
    it('settles', `refuses every method when it is ${state}`, async ({ store }) => {
      await store.saveSession(sessionOf('s'))
      const iteration = store.sessions({ limit: 1 })[Symbol.asyncIterator]()
      const closing = store.close()
      if (state === 'closed') await closing
      const refused = Object.entries(methods).map(([name, { kind, call }]) =>
        kind === 'write'
          ? refuses(() => call(store, 's'), 'STORE_CLOSED', `${name} on a ${state} store`)
          : fails(() => call(store, 's'), 'STORE_CLOSED', `${name} on a ${state} store`),
      )
      await Promise.all(refused)
      await fails(() => store.ready(), 'STORE_CLOSED', `ready on a ${state} store`)
      await fails(() => iteration.next(), 'STORE_CLOSED', `continuing an iteration on a ${state} store`)
      await closing
    })
  }

  it('settles', 'ends an iteration with an error if it is closed between two pages', async ({ store }) => {
    for (const id of ['a', 'b', 'c']) await store.saveSession(sessionOf(id))
    const iteration = store.sessions({ limit: 1 })[Symbol.asyncIterator]()
    await iteration.next()
    await store.close()
    await fails(() => gather({ [Symbol.asyncIterator]: () => iteration }), 'STORE_CLOSED', 'the rest of the iteration')
  })

  it('settles', 'can be closed twice, concurrently or later, and without being used', async ({ store, open }) => {
    await Promise.all([store.close(), store.close()])
    await store.close()
    await fails(() => store.loadSession('s'), 'STORE_CLOSED', 'loadSession on a store that was closed unused')
    const disposed = await open()
    await disposed.saveSession(sessionOf('s'))
    const append = disposed.changeSession('s', appendOf('t'))
    let isDone = false
    void append.finally(() => (isDone = true)).catch(() => {})
    await disposed[Symbol.asyncDispose]()
    await new Promise(setImmediate)
    holds(isDone, 'asyncDispose resolved before a call in progress')
    await append
    await fails(() => disposed.loadSession('s'), 'STORE_CLOSED', 'loadSession after asyncDispose')
    same(disposed.capabilities, capabilities, 'capabilities can be read when it is closed')
    await disposed.close()
    await disposed[Symbol.asyncDispose]()
  })
}
