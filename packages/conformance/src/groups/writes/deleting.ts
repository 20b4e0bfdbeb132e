import { setTimeout as sleep } from 'node:timers/promises'
import type { SessionRecord, SessionStore } from '@turnstore/core'
import type { Cases, Group } from '../../cases/cases.js'
import { fails, holds, present, same } from '../../checks/expect.js'
import { turnOfTheEventLoop, unless } from '../../checks/races.js'
import { type Random, seeded } from '../../samples/random.js'
import { appendOf, changeOf, indexes, sessionOf, turnOf, turnsOf } from '../../samples/samples.js'

/** Deletes that race with changes, with other deletes and with a new session of the same id. */
export const deletingGroup: Group = { title: 'Deleting', define }

function define(cases: Cases): void {
  const { it, thorough } = cases
  it('deleted', 'applies a change that races with a delete before it, or not at all', async ({ store }) => {
    await raceDeletes([store])
  })

  it(
    'deleted',
    'applies a change that races with a delete before it, or not at all, over two handles',
    async ({ store, reopen }) => {
      await raceDeletes([store, await reopen()])
    },
    { needs: 'reopen' },
  )

  it('deleted', 'lets exactly one of many deletes succeed', async ({ store }) => {
    for (const round of indexes(4)) {
      await store.saveSession(sessionOf(`s${round}`))
      const results = await Promise.all(indexes(8).map(() => store.deleteSession(`s${round}`)))
      same(results.filter(Boolean).length, 1, 'how many of 8 have deleted it')
    }
  })

  it('deleted', 'deletes only at the revision that the caller names', async ({ store }) => {
    await store.saveSession(sessionOf('s'))
    await store.changeSession('s', appendOf('t'))
    for (const ifRevision of [1, 3]) {
      const error = await fails(() => store.deleteSession('s', { ifRevision }), 'REVISION_CONFLICT', `at ${ifRevision}`)
      same(error.actualRevision, 2, 'the revision in the error')
    }
    same((await store.loadSession('s'))?.turns.length, 1, 'the turns after the refused deletes')
    const elsewhere = { ifRevision: 1, workspaceId: 'elsewhere' }
    same(await store.deleteSession('s', elsewhere), false, 'a delete in another workspace')
    same(await store.deleteSession('s', { ifRevision: 2 }), true, 'the delete at the revision of the session')
    same(await store.deleteSession('s', { ifRevision: 2 }), false, 'the delete of no session')
    same(await store.loadSession('s'), null, 'the session')
  })

  it('deleted', 'deletes nothing that was recorded since the revision that the caller names', async ({ store }) => {
    for (const round of indexes(16)) {
      const id = `s${round}`
      await store.saveSession(sessionOf(id))
      const [deleted, appended] = await Promise.all([
        store.deleteSession(id, { ifRevision: 1 }).catch(unless('REVISION_CONFLICT')),
        store.changeSession(id, appendOf('t')).then(() => true, unless('SESSION_NOT_FOUND')),
      ])
      same(appended, !deleted, 'whether a turn was acknowledged, of a session that was not deleted')
      const turns = (await store.loadSession(id))?.turns.map(({ turnId }) => turnId)
      same(turns, deleted ? undefined : ['t'], 'its turns')
    }
  })

  it('deleted', 'lets no writer of a deleted session reach a new session with its id', async ({ store }) => {
    await recreateUnderWriters([store])
  })

  it(
    'deleted',
    'lets no writer of a deleted session reach a new session with its id, over two handles',
    async ({ store, reopen }) => {
      await recreateUnderWriters([store, await reopen()])
    },
    { needs: 'reopen' },
  )

  it('deleted', 'lets no writer take a new session for the old one because it is at the same revision', ({ store }) =>
    seeded(cases, random => recreateAtOneRevision(store, random, thorough ? 100 : 8)),
  )
}

/**
 * Many sessions are deleted and created anew at once, each while others append to it. An append that has read the old
 * session, at revision 1, must not be written over the new one, at revision 1. Half of the old sessions are large, so
 * that writing them takes longer than creating the new one.
 */
async function recreateAtOneRevision(store: SessionStore, random: Random, rounds: number): Promise<void> {
  const large = turnOf('old', { prompt: 'x'.repeat(60_000) })
  // How long a delete and a creation take, measured: appends begin at any moment within.
  let spreadMs = 0
  const pause = async (): Promise<void> => {
    if (spreadMs >= 2) return sleep(random.below(spreadMs))
    for (let turns = random.below(6); turns > 0; turns--) await turnOfTheEventLoop()
  }
  const oneLife = async (id: string, life: string, turns: SessionRecord['turns']): Promise<void> => {
    await store.saveSession(sessionOf(id, { turns, metadata: { life: 'old' } }), { ifRevision: 0 })
    const started = performance.now()
    const created = { done: false }
    const creator = async (): Promise<void> => {
      await pause()
      for (let tries = 0; tries < 500 && !created.done; tries++) {
        const saving = store.saveSession(sessionOf(id, { metadata: { life } }), { ifRevision: 0 })
        if (await saving.then(() => true, unless('REVISION_CONFLICT'))) created.done = true
        await turnOfTheEventLoop()
      }
    }
    const appender = async (name: string): Promise<void> => {
      await pause()
      await store.changeSession(id, appendOf(name)).catch(unless('SESSION_NOT_FOUND'))
    }
    const deleting = store.deleteSession(id)
    await Promise.all([deleting, creator(), creator(), ...['a', 'b', 'c'].map(appender)])
    spreadMs = Math.ceil(performance.now() - started)
    const session = present(await store.loadSession(id), 'the new session')
    same(session.metadata.life, life, 'the life of a session that was deleted and created anew')
    same(session.revision, 1 + session.turns.length, 'its revision: one for it and one for each append')
    await store.deleteSession(id)
  }
  for (const round of indexes(rounds)) {
    await Promise.all(indexes(16).map(n => oneLife(`s${n}`, `new ${round}`, n % 2 === 0 ? [] : [large])))
  }
}

async function raceDeletes(handles: readonly SessionStore[]): Promise<void> {
  const store = present(handles[0], 'a store')
  for (const round of indexes(8)) {
    const id = `s${round}`
    await store.saveSession(sessionOf(id, { turns: turnsOf(3) }))
    const writes = indexes(8).map(async index => {
      const handle = present(handles[index % handles.length], 'a handle')
      // Each round places the delete at another position among the changes.
      if (index === round) return handle.deleteSession(id)
      const change =
        index % 2 === 0 ? appendOf(`t${index + 10}`) : changeOf({ keepTurns: 1, setMetadata: { by: index } })
      return handle.changeSession(id, change).then(() => 'changed', unless('SESSION_NOT_FOUND'))
    })
    same((await Promise.all(writes))[round], true, 'the delete')
    for (const handle of handles) {
      same(await handle.loadSession(id), null, 'the session after its delete')
      same(await handle.listSessions(), [], 'the list after its delete')
      same((await handle.querySessions()).sessions, [], 'the query after its delete')
    }
    same(await store.saveSession(sessionOf(id), { ifRevision: 0 }), 1, 'the id is free again')
    same((await store.loadSession(id))?.turns, [], 'nothing of the old session')
    await store.deleteSession(id)
  }
}

/**
 * Callers create, delete and append with one id. Each created session is a separate life. A life that existed before a
 * later creation or a delete must not come back.
 */
async function recreateUnderWriters(handles: readonly SessionStore[]): Promise<void> {
  const work = { done: false }
  const acknowledgedAt = new Map<number, number>()
  let moments = 0
  let lives = 0
  const handleOf = (actor: number): SessionStore => present(handles[actor % handles.length], 'a handle')

  /** Checks that the current session is not older than any earlier observation. */
  const look = async (store: SessionStore, since: number, event: string): Promise<void> => {
    const session = await store.loadSession('s')
    if (session === null) return
    const life = Number(session.metadata.life)
    holds((acknowledgedAt.get(life) ?? Infinity) > since, `life ${life} is back after a later ${event}`)
    same(session.revision, 1 + session.turns.length, `the revision in life ${life}: one for it and one for each append`)
  }
  const creator = async (actor: number): Promise<void> => {
    const store = handleOf(actor)
    for (const _ of indexes(120)) {
      const [life, since] = [++lives, ++moments]
      const saving = store.saveSession(sessionOf('s', { metadata: { life } }), { ifRevision: 0 })
      if (await saving.then(() => true, unless('REVISION_CONFLICT'))) {
        acknowledgedAt.set(life, ++moments)
        await look(store, since, 'creation')
      }
    }
  }
  const deleter = async (actor: number): Promise<void> => {
    const store = handleOf(actor)
    for (const _ of indexes(150)) {
      const since = ++moments
      if (await store.deleteSession('s')) await look(store, since, 'delete')
    }
  }
  const appender = async (actor: number): Promise<void> => {
    const store = handleOf(actor)
    for (let index = 0; !work.done; index++) {
      await store.changeSession('s', appendOf(`${actor}-${index}`)).catch(unless('SESSION_NOT_FOUND'))
      await turnOfTheEventLoop()
    }
  }
  const appenders = Promise.all(indexes(8).map(appender))
  try {
    await Promise.all([...indexes(4).map(creator), ...indexes(3).map(deleter)])
  } finally {
    work.done = true
  }
  await appenders
  await handleOf(0).deleteSession('s')
  same(await handleOf(1).listSessions(), [], 'the list in the end')
}
