import fc from 'fast-check'
import { isTurnstoreError, SessionManager, type SessionStore, type SessionSummary } from '@turnstore/core'
import type { Cases, Group } from '../../cases/cases.js'
import { holds, nameOf, present, refuses, same } from '../../checks/expect.js'
import { acknowledgedBy, expectOneOrder, expectPrefixes, type Seen } from '../../histories/history.js'
import { callerOf } from '../../histories/operations.js'
import { programOf, runProgram, tellProgram } from '../../histories/programs.js'
import { expectProperty } from '../../samples/property.js'
import {
  appendOf,
  changeOf,
  indexes,
  sessionOf,
  T1,
  toolCallOf,
  transitionOf,
  turnIdsOf,
  turnOf,
  turnsOf,
} from '../../samples/samples.js'
import { turnOfTheEventLoop, unless } from '../../checks/races.js'

/** Many callers and two handles: every change is applied once, in one order that all see. */
export const concurrencyGroup: Group = { title: 'Concurrency', define }

const CALLERS = 64

function define(cases: Cases): void {
  const { it } = cases
  it(
    'noLostUpdate',
    'applies the appends of 64 callers to one session exactly once, in one order',
    async ({ store }) => {
      await appendAtOnce([store])
    },
  )

  it(
    'noLostUpdate',
    'applies the appends of 64 callers over two handles exactly once, in one order',
    async ({ store, reopen }) => {
      await appendAtOnce([store, await reopen()])
    },
    { needs: 'reopen' },
  )

  it('noLostUpdate', 'keeps the turns of 64 callers on 64 sessions apart', async ({ store }) => {
    await Promise.all(
      indexes(CALLERS).map(async index => {
        await store.saveSession(sessionOf(`s${index}`, { workspaceId: index % 2 === 0 ? 'even' : null }), {
          ifRevision: 0,
        })
        for (const turn of indexes(3))
          await store.changeSession(`s${index}`, appendOf(`t${turn}`, { prompt: `of s${index}` }))
      }),
    )
    for (const index of indexes(CALLERS)) {
      const session = present(await store.loadSession(`s${index}`), `session s${index}`)
      same(
        session.turns.map(({ turnId, prompt }) => [turnId, prompt]),
        indexes(3).map(turn => [`t${turn}`, `of s${index}`]),
        `turns of s${index}`,
      )
      same(session.revision, 4, `revision of s${index}`)
    }
    same((await store.listSessions()).length, CALLERS, 'number of sessions')
    same((await store.listSessions({ workspaceId: 'even' })).length, CALLERS / 2, 'number of sessions in a workspace')
  })

  it('atomic', 'shows readers only prefixes of the history, never going back', async ({ store }) => {
    const before = sessionOf('s', { turns: turnsOf(2) })
    await store.saveSession(before)
    const work = { done: false }
    const read = async (look: () => Promise<Seen>): Promise<Seen[]> => {
      const seen: Seen[] = []
      // Yields between reads, even if a read does not wait.
      for (; !work.done; await turnOfTheEventLoop()) seen.push(await look())
      return seen
    }
    const readers = [
      read(async () => {
        const { turns, revision, turnCount } = present(await store.readTurns('s', {}), 'a page')
        return { revision, turnCount, turnIds: turns.map(({ turnId }) => turnId) }
      }),
      read(async () => {
        const { turns, revision, turnCount } = present(await store.readTurns('s', { turnId: 't0' }), 'a page')
        same(turns.length, 1, 'how many turns of one id are read')
        return { revision, turnCount }
      }),
      read(async () => present(await store.loadSummary('s'), 'a summary')),
      read(async () => {
        const session = present(await store.loadSession('s'), 'a session')
        return { revision: session.revision, turnCount: session.turns.length, turnIds: turnIdsOf(session) }
      }),
      read(async () => present((await store.querySessions()).sessions[0], 'a listed session')),
    ]
    const acknowledged = (
      await Promise.all(
        indexes(4).map(async caller => {
          const mine = []
          for (const index of indexes(12))
            mine.push(
              acknowledgedBy(`${caller}-${index}`, await store.changeSession('s', appendOf(`${caller}-${index}`))),
            )
          return mine
        }),
      )
    ).flat()
    work.done = true
    const session = present(await store.loadSession('s'), 'the session')
    expectOneOrder(acknowledged, session, before)
    for (const seen of await Promise.all(readers)) expectPrefixes(seen, session, before)
  })

  it('atomic', 'shows readers all of a change with many parts, or nothing', async ({ store }) => {
    const padding = 'x'.repeat(2000)
    const stateOf = (version: number) => ({
      turns: indexes(8).map(index => turnOf(`${version}-${index}`, { prompt: padding })),
      // Recorded with their turns, so that they are removed with them; never as many as before.
      agentTransitions: indexes(version % 3).map(index =>
        transitionOf(`${version}-${index}`, { turnId: `${version}-0` }),
      ),
      metadata: { version },
    })
    // Each version raises the revision by one.
    const headOf = (version: unknown) => ({
      turnCount: 8,
      agentTransitionCount: Number(version) % 3,
      revision: Number(version) + 1,
    })
    const checkHead = (head: SessionSummary, how: string): void => {
      const { turnCount, agentTransitionCount, revision, metadata } = head
      const expected = headOf(metadata.version)
      same({ turnCount, agentTransitionCount, revision }, expected, `everything except its metadata, ${how}`)
    }
    await store.saveSession(sessionOf('s', stateOf(0)))
    const work = { done: false }
    const check = (version: unknown, turnIds: readonly string[], how: string): void => {
      same(
        turnIds,
        indexes(8).map(index => `${String(version)}-${index}`),
        `the turns beside version ${String(version)}, ${how}`,
      )
    }
    const reader = async (): Promise<void> => {
      for (; !work.done; await turnOfTheEventLoop()) {
        const session = present(await store.loadSession('s'), 'the session')
        check(session.metadata.version, turnIdsOf(session), 'loaded')
        const { revision, agentTransitions } = session
        const counts = { turnCount: 8, agentTransitionCount: agentTransitions.length, revision }
        same(counts, headOf(session.metadata.version), 'everything except its metadata, loaded')
        const page = present(await store.readTurns('s', {}), 'the turns')
        check(
          page.turns[0]?.turnId.split('-')[0],
          page.turns.map(({ turnId }) => turnId),
          'read',
        )
        const last = present(await store.readTurns('s', { last: 2 }), 'the last turns')
        const version = last.turns[0]?.turnId.split('-')[0]
        const place = [last.firstIndex, last.revision]
        same(place, [6, Number(version) + 1], 'the positions of the last turns and the revision')
        checkHead(present(await store.loadSummary('s'), 'a summary'), 'summarised')
        // A session that moves in the order during the listing may be missing, which is allowed.
        for (const listed of (await store.querySessions()).sessions) checkHead(listed, 'listed')
      }
    }
    const writer = async (): Promise<void> => {
      for (const version of indexes(24)) {
        const { turns, agentTransitions, metadata } = stateOf(version + 1)
        const appends = { appendTurns: turns, appendAgentTransitions: agentTransitions }
        const change = { keepTurns: 0, ...appends, setMetadata: metadata }
        if (version % 3 === 2) await store.saveSession(sessionOf('s', { turns, agentTransitions, metadata }))
        else await store.changeSession('s', changeOf(change))
      }
      work.done = true
    }
    try {
      await Promise.all([writer(), reader(), reader()])
    } finally {
      work.done = true
    }
  })

  it('noLostUpdate', 'is linearizable for random programs of several callers', ({ store }) =>
    runPrograms(cases, [store]),
  )

  it(
    'noLostUpdate',
    'is linearizable for random programs over two handles',
    async ({ store, reopen }) => runPrograms(cases, [store, await reopen()]),
    { needs: 'reopen' },
  )

  it('noLostUpdate', 'lets exactly one of many conditional changes win', async ({ store }) => {
    await oneWins([store])
  })

  it(
    'noLostUpdate',
    'lets exactly one of many conditional changes win over two handles',
    async ({ store, reopen }) => {
      await oneWins([store, await reopen()])
    },
    { needs: 'reopen' },
  )

  it(
    'noLostUpdate',
    'checks a condition against writes of another handle',
    async ({ store, reopen }) => {
      const other = await reopen()
      same(await store.saveSession(sessionOf('s')), 1, 'a save by the first handle')
      same((await other.changeSession('s', appendOf('t'))).revision, 2, 'a change by the second')
      const late = { ifRevision: 1 }
      const expected = { actualRevision: 2 }
      await refuses(() => store.saveSession(sessionOf('s'), late), 'REVISION_CONFLICT', 'a late save', expected)
      const change = changeOf({ setMetadata: { a: 1 } })
      await refuses(() => store.changeSession('s', change, late), 'REVISION_CONFLICT', 'a late change', expected)
      same((await store.changeSession('s', change, { ifRevision: 2 })).revision, 3, 'one at the right revision')
      await refuses(() => other.saveSession(sessionOf('s'), { ifRevision: 2 }), 'REVISION_CONFLICT', 'the next', {
        actualRevision: 3,
      })
    },
    { needs: 'reopen' },
  )

  it('noLostUpdate', 'loses no increment of callers that retry with ifRevision', async ({ store }) => {
    await store.saveSession(sessionOf('s', { metadata: { count: 0 } }))
    await Promise.all(
      indexes(12).map(async () => {
        for (;;) {
          const { metadata, revision } = present(await store.loadSummary('s'), 'the summary')
          const change = changeOf({ setMetadata: { count: Number(metadata.count) + 1 } })
          const done = await store
            .changeSession('s', change, { ifRevision: revision })
            .then(() => true, unless('REVISION_CONFLICT'))
          if (done) return
        }
      }),
    )
    same((await store.loadSummary('s'))?.metadata, { count: 12 }, 'the count of 12 who each add one')
  })

  it('noLostUpdate', 'lets exactly one of many creators win', async ({ store }) => {
    for (const round of indexes(4)) {
      const saves = indexes(12).map(index =>
        store.saveSession(sessionOf(`s${round}`, { metadata: { of: index } }), { ifRevision: 0 }),
      )
      const winner = await onlyWinner(saves, 'REVISION_CONFLICT', 'creators')
      same((await store.loadSession(`s${round}`))?.metadata, { of: winner }, 'the session of the winner')
    }
    same((await store.listSessions()).length, 4, 'number of sessions')
  })

  it('scope', 'lets exactly one of many workspaces use an id', async ({ store }) => {
    for (const round of indexes(4)) {
      const save = (workspaceId: string) => store.saveSession(sessionOf(`s${round}`, { workspaceId }), { workspaceId })
      const winner = await onlyWinner(
        indexes(12).map(index => save(`w${index}`)),
        'SESSION_EXISTS',
        'workspaces',
      )
      same((await store.loadSession(`s${round}`))?.workspaceId, `w${winner}`, 'the workspace of the session')
      for (const index of indexes(12)) {
        const expected = index === winner ? [`s${round}`] : []
        const mine = (await store.listSessions({ workspaceId: `w${index}` })).filter(id => id === `s${round}`)
        same(mine, expected, `the list of w${index}, when w${winner} has won`)
      }
    }
  })

  it('noLostUpdate', 'lets exactly one of many managers start a session', async ({ store }) => {
    const managers = indexes(8).map(() => new SessionManager(store))
    await onlyWinner(
      managers.map(manager => manager.startSession({ sessionId: 's' })),
      'SESSION_EXISTS',
      'managers',
    )
    const resumed = await Promise.all(
      managers.map(manager => manager.startSession({ sessionId: 'r', ifExists: 'resume' })),
    )
    same(
      resumed.map(({ revision }) => revision),
      indexes(8).map(() => 1),
      'revisions of those who resume what one of them has started',
    )
  })

  it('retry', 'applies a turn once when several retries append it concurrently', async ({ store }) => {
    await store.saveSession(sessionOf('s'))
    for (const round of indexes(4)) {
      const results = await Promise.all(
        indexes(8).map(index => store.changeSession('s', appendOf(`t${round}`, { startedAt: `${index}` }))),
      )
      same(
        results.filter(({ deduplicated }) => deduplicated.length === 0).length,
        1,
        'how many of 8 retries were applied',
      )
    }
    same(turnIdsOf(present(await store.loadSession('s'), 'the session')), ['t0', 't1', 't2', 't3'], 'the turns')
    same((await store.loadSummary('s'))?.revision, 5, 'the revision')
    const conditional = await Promise.all(
      indexes(8).map(() => store.changeSession('s', appendOf('t4'), { ifRevision: 5 })),
    )
    same(new Set(conditional.map(({ revision }) => revision)), new Set([6]), 'revisions of 8 conditional retries')
  })

  it('retry', 'lets one of two contents of a turnId win and refuses the other', async ({ store }) => {
    await store.saveSession(sessionOf('s'))
    const appends = indexes(8).map(index => store.changeSession('s', appendOf('t', { prompt: `content ${index}` })))
    const winner = await onlyWinner(appends, 'TURN_ID_CONFLICT', 'contents')
    same(
      (await store.loadSession('s'))?.turns.map(({ prompt }) => prompt),
      [`content ${winner}`],
      'the turn',
    )
  })

  it('noLostUpdate', 'keeps all tool calls and members that are added to one turn concurrently', async ({ store }) => {
    await store.saveSession(sessionOf('s', { turns: [turnOf('t', { toolCalls: [toolCallOf('first')] }), turnOf('u')] }))
    await Promise.all([
      ...indexes(16).map(index =>
        store.changeSession('s', changeOf({ updateTurns: [{ turnId: 't', putToolCalls: [toolCallOf(`c${index}`)] }] })),
      ),
      store.changeSession('s', changeOf({ updateTurns: [{ turnId: 't', set: { responseContent: 'done' } }] })),
      store.changeSession('s', changeOf({ updateTurns: [{ turnId: 'u', set: { status: 'x' } }] })),
      store.changeSession(
        's',
        changeOf({ updateTurns: [{ turnId: 't', putToolCalls: [toolCallOf('first', { result: 1 })] }] }),
      ),
    ])
    const session = present(await store.loadSession('s'), 'the session')
    const calls = session.turns[0]?.toolCalls ?? []
    same(
      calls.map(({ callId }) => callId).toSorted(),
      ['first', ...indexes(16).map(index => `c${index}`)].toSorted(),
      'the tool calls',
    )
    same([calls[0]?.callId, calls[0]?.result], ['first', 1], 'the replaced session')
    same(
      session.turns.map(({ responseContent, status }) => [responseContent, status]),
      [
        ['done', 'success'],
        [null, 'x'],
      ],
      'the turns',
    )
    same(session.revision, 20, 'the revision after 19 changes')
  })

  it('noLostUpdate', 'keeps all concurrently set metadata members, and other concurrent changes', async ({ store }) => {
    await store.saveSession(sessionOf('s', { metadata: { gone: 1 } }))
    await Promise.all([
      ...indexes(16).map(index => store.changeSession('s', changeOf({ setMetadata: { [`k${index}`]: index } }))),
      store.changeSession('s', changeOf({ unsetMetadata: ['gone'] })),
      store.changeSession('s', changeOf({ agentId: 'a' })),
      store.changeSession('s', appendOf('t')),
    ])
    const session = present(await store.loadSession('s'), 'the session')
    same(session.metadata, Object.fromEntries(indexes(16).map(index => [`k${index}`, index])), 'the metadata')
    same([session.agentId, turnIdsOf(session), session.revision], ['a', ['t'], 20], 'the rest')
  })

  it(
    'noLostUpdate',
    'never fails because another handle cannot see a write yet',
    async ({ store, reopen }) => {
      const other = await reopen()
      for (const round of indexes(10)) {
        const id = `s${round}`
        await store.saveSession(sessionOf(id, { turns: [turnOf('t')] }))
        await other.loadSummary(id)
        const rewinding = store.changeSession(id, changeOf({ keepTurns: 0 }))
        const seen = store
          .changeSession(id, changeOf({ updateTurns: [{ turnId: 't', set: { status: 'x' } }] }))
          .catch(unless('TURN_NOT_FOUND'))
          .then(async updated => (updated === false ? (await other.loadSummary(id))?.turnCount : 0))
        same(await seen, 0, 'turnCount of another handle, after a change has failed because a rewind dropped its turn')
        await rewinding
      }
    },
    { needs: 'reopen' },
  )

  it('revisions', 'never goes back to an earlier revision because the content is the same again', async ({ store }) => {
    await store.saveSession(sessionOf('s', { updatedAt: T1 }))
    let newest = 1
    await Promise.all(
      indexes(12).map(async caller => {
        for (const step of indexes(12)) {
          const since = newest
          const change = changeOf({ setMetadata: { on: (caller + step) % 2 === 0 } })
          const { revision } = await store.changeSession('s', change)
          holds(revision >= since, `a change was given revision ${revision}, after another was given ${since}`)
          newest = Math.max(newest, revision)
        }
      }),
    )
    same((await store.loadSummary('s'))?.revision, newest, 'the revision in the end')
  })

  it('revisions', 'gives each of many saves and appends a different revision', async ({ store }) => {
    await store.saveSession(sessionOf('s'))
    const writes = indexes(16).flatMap(index => [
      store.saveSession(sessionOf('s', { metadata: { save: index }, turns: [turnOf(`save ${index}`)] })),
      store.changeSession('s', appendOf(`t${index}`)).then(({ revision }) => revision),
    ])
    const revisions = (await Promise.all(writes)).toSorted((a, b) => a - b)
    same(
      revisions,
      indexes(32).map(index => index + 2),
      'revisions of 16 saves and 16 appends',
    )
    const session = present(await store.loadSession('s'), 'the session')
    same(session.revision, 33, 'the revision in the end')
    same(
      session.turns[0]?.turnId,
      `save ${Number(session.metadata.save)}`,
      'the first turn, which came with the metadata',
    )
  })
}

async function runPrograms(cases: Cases, handles: readonly SessionStore[]): Promise<void> {
  const callers = handles.map((handle, index) => [`handle ${index + 1}`, callerOf(handle)] as const)
  const property = fc.asyncProperty(programOf(4, 6), async program => {
    for (const id of ['s', 'S']) await handles[0]?.deleteSession(id)
    await runProgram(program, callers)
  })
  await expectProperty(cases, property, { runs: 40, tell: tellProgram })
}

async function appendAtOnce(handles: readonly SessionStore[]): Promise<void> {
  const [store] = handles
  const before = sessionOf('s', { turns: turnsOf(1) })
  await present(store, 'a store').saveSession(before)
  const acknowledged = await Promise.all(
    indexes(CALLERS).map(async index => {
      const handle = present(handles[index % handles.length], 'a handle')
      return acknowledgedBy(
        `of ${index}`,
        await handle.changeSession('s', appendOf(`of ${index}`, { prompt: `prompt ${index}` })),
      )
    }),
  )
  for (const handle of handles) {
    const session = present(await handle.loadSession('s'), 'the session')
    expectOneOrder(acknowledged, session, before)
    for (const { turnId, prompt } of session.turns.slice(1))
      same(prompt, turnId.replace('of', 'prompt'), `the prompt of ${turnId}`)
  }
}

async function oneWins(handles: readonly SessionStore[]): Promise<void> {
  const store = present(handles[0], 'a store')
  await store.saveSession(sessionOf('s'))
  for (const round of indexes(6)) {
    const ifRevision = round + 1
    const writes = indexes(12).map(index => {
      const handle = present(handles[index % handles.length], 'a handle')
      return index % 4 === 3
        ? handle.saveSession(sessionOf('s', { metadata: { round, winner: index } }), { ifRevision })
        : handle
            .changeSession('s', changeOf({ setMetadata: { round, winner: index } }), { ifRevision })
            .then(({ revision }) => revision)
    })
    const winner = await onlyWinner(writes, 'REVISION_CONFLICT', `writers with ifRevision ${ifRevision}`)
    same(await writes[winner], ifRevision + 1, 'the revision of the winner')
    for (const handle of handles) same((await handle.loadSession('s'))?.metadata, { round, winner }, 'what is stored')
  }
}

/** The index of the call that succeeds. All others must fail with the code. */
async function onlyWinner(
  attempts: readonly Promise<unknown>[],
  code: 'REVISION_CONFLICT' | 'SESSION_EXISTS' | 'TURN_ID_CONFLICT',
  who: string,
): Promise<number> {
  const outcomes = await Promise.allSettled(attempts)
  const winners = outcomes.flatMap((outcome, index) => (outcome.status === 'fulfilled' ? [index] : []))
  for (const outcome of outcomes) {
    if (outcome.status === 'fulfilled') continue
    const error: unknown = outcome.reason
    holds(isTurnstoreError(error, code), `${who} that lose get ${code}, not ${nameOf(error)}`)
    if (isTurnstoreError(error)) same(error.outcome, 'not-stored', `the outcome of those ${who}`)
  }
  same(winners.length, 1, `how many of ${attempts.length} ${who} win`)
  return present(winners[0], 'the winner')
}
