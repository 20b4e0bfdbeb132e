import type { SessionStore, WatchedSession } from '@turnstore/core'
import type { Cases, Group } from '../../cases/cases.js'
import { fail, fails, holds, present, same } from '../../checks/expect.js'
import { unless } from '../../checks/races.js'
import { untyped } from '../../samples/methods.js'
import { seeded } from '../../samples/random.js'
import { appendOf, changeOf, indexes, sessionOf, T1, turnOf } from '../../samples/samples.js'

/** A watch gives the present state, then each new one, and misses no last state. */
export const watchGroup: Group = { title: 'Watching', define }

/** Far above the second after which a change by others is seen. */
const LATEST_MS = 10_000

type Watching = AsyncIterator<WatchedSession, undefined>

const watch = (store: SessionStore, ...args: Parameters<SessionStore['watchSession']>): Watching =>
  store.watchSession(...args)[Symbol.asyncIterator]()

/** What the watch gives next. */
async function next(watching: Watching, what: string): Promise<WatchedSession> {
  const result = await soon(watching.next(), what)
  return result.done === true ? fail(`${what}: the watch has ended`) : result.value
}

async function soon<T>(work: Promise<T>, what: string): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error('late')), LATEST_MS)
  })
  try {
    return await Promise.race([work, late])
  } catch (error) {
    return error instanceof Error && error.message === 'late' ? fail(`${what} has not come`) : Promise.reject(error)
  } finally {
    clearTimeout(timer)
  }
}

/** A state without its token. */
async function seenIn(store: SessionStore, sessionId: string): Promise<object> {
  const summary = present(await store.loadSummary(sessionId), `the summary of ${sessionId}`)
  const { revision, turnCount, lastTurn, updatedAt } = summary
  return { revision, turnCount, lastTurn, updatedAt }
}

function define(cases: Cases): void {
  const { it, capabilities } = cases

  it('watch', 'gives the present state, then the state after each change', async ({ store }) => {
    await store.saveSession(sessionOf('s'))
    const watching = watch(store, 's')
    const { token: first, ...state } = await next(watching, 'the present state')
    same(state, await seenIn(store, 's'), 'the present state')
    for (const change of [
      appendOf('t1', { prompt: 'hello', status: 'running' }),
      changeOf({ updateTurns: [{ turnId: 't1', set: { status: 'success' } }] }),
      changeOf({ keepTurns: 0 }),
      changeOf({ setMetadata: { title: 'x' }, updatedAt: T1 }),
    ]) {
      const waiting = next(watching, `the state after ${Object.keys(change).join()}`)
      await store.changeSession('s', change)
      const { token, ...state } = await waiting
      same(state, await seenIn(store, 's'), `the state after ${Object.keys(change).join()}`)
      holds(typeof token === 'string' && token !== first, 'each state has a token of its own')
    }
    await watching.return?.()
  })

  it('watch', 'begins after the state that `since` names, and gives several changes as one', async ({ store }) => {
    await store.saveSession(sessionOf('s'))
    const before = watch(store, 's')
    const { token: since = '' } = await next(before, 'the present state')
    await before.return?.()
    const watching = watch(store, 's', { since })
    const waiting = next(watching, 'the first change')
    await store.changeSession('s', appendOf('t1'))
    same((await waiting).revision, 2, 'the revision of the first state that is new')
    for (const id of ['t2', 't3', 't4']) await store.changeSession('s', appendOf(id))
    same((await next(watching, 'the latest state')).revision, 5, 'the revision after three changes')
    const late = watch(store, 's', { since })
    same((await next(late, 'what has come since')).revision, 5, 'the revision of what has come since')
    await watching.return?.()
    await late.return?.()
  })

  it('watch', 'ends with `deleted` when the session is deleted, or not there, or elsewhere', async ({ store }) => {
    await store.saveSession(sessionOf('s', { workspaceId: 'w' }))
    for (const [id, options] of [
      ['none', {}],
      ['s', { workspaceId: 'other' }],
      ['s', { workspaceId: null }],
    ] as const) {
      const watching = watch(store, id, options)
      same(await next(watching, 'the state of no session'), { deleted: true }, 'what a watch of no session gives')
      same((await soon(watching.next(), 'the end')).done, true, 'whether the watch has ended')
    }
    const watching = watch(store, 's', { workspaceId: 'w' })
    await next(watching, 'the present state')
    const waiting = next(watching, 'the deletion')
    await store.deleteSession('s')
    same(await waiting, { deleted: true }, 'what a watch gives after a deletion')
    same(await watching.next(), { done: true, value: undefined }, 'what comes after it')
  })

  it('watch', 'sees that a session was deleted and made anew', async ({ store }) => {
    await store.saveSession(sessionOf('s'))
    const watching = watch(store, 's')
    const { token: since = '' } = await next(watching, 'the present state')
    await watching.return?.()
    await store.deleteSession('s')
    await store.saveSession(sessionOf('s', { createdAt: T1 }))
    const other = watch(store, 's', { since })
    const state = await next(other, 'the new session')
    same(state.revision, 1, 'the revision of the new session')
    holds(state.token !== since, 'the token names the session, not only its revision')
    await other.return?.()
  })

  it('watch', 'ends when it is left or aborted, and when the store closes', async ({ store }) => {
    await store.saveSession(sessionOf('s'))
    const left = watch(store, 's')
    await next(left, 'the present state')
    const pending = left.next()
    await left.return?.()
    same(await soon(pending, 'the end'), { done: true, value: undefined }, 'a call that waited when the watch was left')
    const aborting = new AbortController()
    const aborted = watch(store, 's', { signal: aborting.signal })
    await next(aborted, 'the present state')
    const waiting = aborted.next()
    const reason = new Error('enough')
    aborting.abort(reason)
    const thrown = await soon(
      waiting.then(
        () => null,
        (error: unknown) => error,
      ),
      'the rejection',
    )
    holds(thrown === reason, 'a watch that is aborted rejects with the reason of the signal')
    const open = watch(store, 's')
    await next(open, 'the present state')
    const closing = fails(() => soon(open.next(), 'the rejection'), 'STORE_CLOSED', 'a watch whose store is closed')
    await store.close()
    await closing
  })

  it('watch', 'refuses wrong options', async ({ store }) => {
    for (const options of [{ since: 7 }, { signal: {} }, { workspaceId: undefined }, { last: 1 }]) {
      await fails(() => watch(store, 's', untyped(options)).next(), 'INVALID_ARGUMENT', 'a watch with wrong options')
    }
  })

  it(
    'watch',
    'sees what other handles and other processes change',
    async ({ store, reopen, child }) => {
      await store.saveSession(sessionOf('s'))
      // The first call of its store.
      const watching = watch(await reopen(), 's')
      await next(watching, 'the present state')
      const handle = await reopen()
      const process = await child()
      for (const [revision, change] of [
        [2, () => handle.changeSession('s', appendOf('t1'))],
        [3, () => process.call('changeSession', 's', appendOf('t2'))],
      ] as const) {
        const waiting = next(watching, `revision ${revision}`)
        await change()
        same((await waiting).revision, revision, 'the revision that a watch sees')
      }
      const waiting = next(watching, 'the deletion by another process')
      await process.call('deleteSession', 's')
      same(await waiting, { deleted: true }, 'what a watch sees of a deletion')
    },
    {
      needs: 'child',
      skip: capabilities.sharing === 'process' && "the store's sharing is 'process'",
      timeoutMs: 3 * LATEST_MS,
    },
  )

  it(
    'watch',
    'never misses the last state, whatever happens at the same time',
    async ({ store, reopen }) => {
      await seeded(cases, async random => {
        const handles = capabilities.sharing === 'process' ? [store] : [store, await reopen()]
        const ids = ['a', 'b', 'c']
        for (const id of ids) await store.saveSession(sessionOf(id))
        const aborting = new AbortController()
        const last = new Map<object, WatchedSession>()
        const watches = indexes(12).map(async index => {
          const watcher = { id: ids[index % ids.length] ?? 'a' }
          const handle = handles[index % handles.length] ?? store
          while (!aborting.signal.aborted) {
            for await (const seen of handle.watchSession(watcher.id, { signal: aborting.signal }))
              last.set(watcher, seen)
            // It is gone. Another may come.
            await new Promise(resolve => setTimeout(resolve, 5))
          }
        })
        for (const step of indexes(60)) {
          const id = ids[random.below(ids.length)] ?? 'a'
          const writer = handles[random.below(handles.length)] ?? store
          const kind = random.below(8)
          if (kind === 0) await writer.deleteSession(id)
          else if (kind === 1) await writer.saveSession(sessionOf(id, { turns: [turnOf(`saved${step}`)] }))
          else await writer.changeSession(id, appendOf(`t${step}`)).catch(unless('SESSION_NOT_FOUND'))
        }
        for (const id of ids) await store.saveSession(sessionOf(id, { metadata: { last: id } }))
        const wanted = new Map<string, object>()
        for (const id of ids) wanted.set(id, await seenIn(store, id))
        const isDone = (): boolean =>
          last.size === 12 &&
          [...last].every(([watcher, { token: _token, ...seen }]) => {
            const id = 'id' in watcher && typeof watcher.id === 'string' ? watcher.id : ''
            return JSON.stringify(seen) === JSON.stringify(wanted.get(id))
          })
        for (let waited = 0; !isDone(); waited += 20) {
          if (waited > LATEST_MS) fail('a watch has not seen the last state of its session')
          await new Promise(resolve => setTimeout(resolve, 20))
        }
        aborting.abort(new Error('done'))
        await Promise.allSettled(watches)
      })
    },
    { ...(capabilities.sharing === 'process' ? {} : { needs: 'reopen' as const }), timeoutMs: 3 * LATEST_MS },
  )
}
