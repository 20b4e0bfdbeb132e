import type { Cases, Group } from '../../cases/cases.js'
import { fail, refuses, same, show } from '../../checks/expect.js'
import { gather } from '../../samples/methods.js'
import { unless } from '../../checks/races.js'
import { appendOf, changeOf, fullSession, indexes, sessionOf, turnOf, turnsOf } from '../../samples/samples.js'
import { shownBy } from '../../checks/error-texts.js'

/** No call with another workspaceId sees, changes, lists or deletes a session. */
export const scopeGroup: Group = { title: 'Scope', define }

/** The session that workspace b saves. */
const ofB = sessionOf('s', { workspaceId: 'b', metadata: { of: 'b' } })

/** Pairs of workspaces that a store may confuse, and none. */
const workspaces = [null, 'w', 'W', 'w2'] as const

function define({ it }: Cases): void {
  it('scope', 'lets no call see, change or delete a session of another workspace', async ({ store }) => {
    for (const [index, owner] of workspaces.entries()) {
      // Each is a fork of a session in another workspace.
      const parentSessionId = `s${(index + 1) % workspaces.length}`
      await store.saveSession(fullSession(`s${index}`, { workspaceId: owner, parentSessionId }))
    }
    for (const [index, owner] of workspaces.entries()) {
      const id = `s${index}`
      // A cache filled by an allowed call must not serve a call that is not allowed.
      await Promise.all([store.loadSession(id), store.loadSummary(id), store.readTurns(id, { last: 1 })])
      for (const workspaceId of workspaces.filter(other => other !== owner)) {
        const scope = { workspaceId }
        const what = `with workspaceId ${show(workspaceId)}, for a session in workspace ${show(owner)}`
        same(await store.loadSession(id, scope), null, `loadSession ${what}`)
        same(await store.loadSummary(id, scope), null, `loadSummary ${what}`)
        same(await store.readTurns(id, { last: 1 }, scope), null, `readTurns ${what}`)
        same(await store.readTurns(id, { turnId: 't1' }, scope), null, `readTurns by id ${what}`)
        same(await store.readTurns(id, {}, { ...scope, parts: 'none' }), null, `readTurns without parts ${what}`)
        for (const list of ['toolCalls', 'items'] as const)
          same(await store.readParts(id, 't1', { list }, scope), null, `readParts of ${list} ${what}`)
        const elsewhere = { createIfMissing: scope }
        for (const change of [changeOf({}), changeOf({ appendTurns: fullSession(id).turns })]) {
          const creation = () => store.changeSession(id, change, elsewhere)
          await refuses(creation, 'SESSION_EXISTS', `createIfMissing ${what}`, { sessionId: id })
        }
        same(await store.deleteSession(id, scope), false, `deleteSession ${what}`)
        const absent = { sessionId: id }
        await refuses(
          () => store.changeSession(id, appendOf('x'), scope),
          'SESSION_NOT_FOUND',
          `an append ${what}`,
          absent,
        )
        await refuses(
          () => store.changeSession(id, changeOf({}), scope),
          'SESSION_NOT_FOUND',
          `an empty change ${what}`,
          absent,
        )
        const conditional = { ...scope, ifRevision: 1 }
        await refuses(
          () => store.changeSession(id, appendOf('x'), conditional),
          'SESSION_NOT_FOUND',
          `a conditional append ${what}`,
          absent,
        )
        const late = { ...scope, ifRevision: 7 }
        for (const change of [appendOf('x'), changeOf({}), changeOf({ agentId: 'x' }), changeOf({ keepTurns: 0 })]) {
          const error = await refuses(
            () => store.changeSession(id, change, late),
            'SESSION_NOT_FOUND',
            `a late change ${what}`,
            absent,
          )
          same(error.actualRevision, undefined, `the revision in the error ${what}`)
        }
        const missing = changeOf({ updateTurns: [{ turnId: 'none', set: {} }] })
        await refuses(() => store.changeSession(id, missing, scope), 'SESSION_NOT_FOUND', `an update ${what}`, absent)
        const conflict = appendOf('t1', { prompt: 'other' })
        await refuses(
          () => store.changeSession(id, conflict, scope),
          'SESSION_NOT_FOUND',
          `a turn that is there ${what}`,
          absent,
        )
        for (const options of [scope, conditional, late]) {
          const retry = changeOf({ appendTurns: fullSession(id).turns })
          const what = `a repetition with ${show(options)}, of a session of ${show(owner)}`
          await refuses(() => store.changeSession(id, retry, options), 'SESSION_NOT_FOUND', what, absent)
        }
        const listed = (await store.listSessions(scope)).filter(other => other === id)
        same(listed, [], `listSessions ${what}`)
        for (const query of [
          scope,
          { ...scope, order: 'asc' },
          { ...scope, metadata: { customer: 'C-1' } },
          { ...scope, agentId: 'support' },
        ] as const) {
          const seen = [...(await store.querySessions(query)).sessions, ...(await gather(store.sessions(query)))]
          same(
            seen.filter(({ sessionId }) => sessionId === id),
            [],
            `the query ${show(query)} ${what}`,
          )
        }
      }
      const whole = fullSession(id, { workspaceId: owner, parentSessionId: `s${(index + 1) % workspaces.length}` })
      same(await store.loadSession(id, { workspaceId: owner }), whole, 'the session, in its own scope')
      const own = await store.loadSummary(id, { workspaceId: owner })
      same(own?.turnCount, 2, 'its summary, in its own scope')
      same(await store.loadSession(id), whole, 'the session, without a scope')
    }
  })

  it('scope', 'allows all of that with the right workspace', async ({ store }) => {
    for (const [index, workspaceId] of workspaces.entries()) {
      const scope = { workspaceId }
      const id = `s${index}`
      same(
        await store.saveSession(fullSession(id, scope), { ...scope, ifRevision: 0 }),
        1,
        `saving in ${show(workspaceId)}`,
      )
      same((await store.changeSession(id, appendOf('x'), { ...scope, ifRevision: 1 })).revision, 2, 'changing it')
      same((await store.readTurns(id, { last: 1 }, scope))?.turns, [turnOf('x')], 'reading it')
      same((await store.readTurns(id, { last: 1 }, { ...scope, parts: 'none' }))?.turns.length, 1, 'reading its heads')
      same((await store.readParts(id, 't1', { list: 'items' }, scope))?.count, 2, 'reading its parts')
      same((await store.loadSummary(id, scope))?.revision, 2, 'its summary')
      same(await store.listSessions(scope), [id], 'listing it')
      same(
        (await store.querySessions(scope)).sessions.map(({ sessionId }) => sessionId),
        [id],
        'querying it',
      )
      same(
        (await gather(store.sessions(scope))).map(({ sessionId }) => sessionId),
        [id],
        'iterating',
      )
    }
    for (const [index, workspaceId] of workspaces.entries()) {
      same(await store.deleteSession(`s${index}`, { workspaceId }), true, `deleting in ${show(workspaceId)}`)
    }
  })

  it(
    'scope',
    'refuses to replace or move a session of another workspace, and reveals nothing about it',
    async ({ store }) => {
      for (const owner of workspaces) {
        const id = `s${String(owner)}`
        await store.saveSession(fullSession(id, { workspaceId: owner }))
        await store.changeSession(id, appendOf('x', { prompt: 'secret' }))
        const before = await store.loadSession(id)
        for (const workspaceId of workspaces.filter(other => other !== owner)) {
          const record = sessionOf(id, { workspaceId })
          for (const options of [
            {},
            { ifRevision: 0 },
            { ifRevision: 1 },
            { ifRevision: 2 },
            { ifRevision: 9 },
            { workspaceId },
            { workspaceId, ifRevision: 2 },
          ]) {
            const what = `saving a session of ${show(owner)} as one of ${show(workspaceId)} with ${show(options)}`
            const error = await refuses(() => store.saveSession(record, options), 'SESSION_EXISTS', what, {
              sessionId: id,
            })
            same(error.actualRevision, undefined, `the revision in the error, ${what}`)
          }
        }
        same(await store.loadSession(id), before, `the session of ${show(owner)} after that`)
      }
    },
  )

  it('scope', 'never reveals anything about a session of another workspace in an error', async ({ store }) => {
    // Two completely different sessions: if their errors differ, they reveal something.
    await store.saveSession(fullSession('held-1', { workspaceId: 'north' }))
    await store.saveSession(
      sessionOf('held-2', { workspaceId: 'quiet-harbour', agentId: 'scout', metadata: { plan: 'pro' } }),
    )
    for (const turn of turnsOf(5)) await store.changeSession('held-2', changeOf({ appendTurns: [turn] }))
    const workspaceId = 'stranger'
    const scope = { workspaceId }
    const calls: Record<string, (id: string) => Promise<unknown>> = {
      'a save': id => store.saveSession(sessionOf(id, scope)),
      'a save in its scope': id => store.saveSession(sessionOf(id, scope), scope),
      'a creation': id => store.saveSession(sessionOf(id, scope), { ifRevision: 0 }),
      'a creation by a change': id => store.changeSession(id, appendOf('x'), { createIfMissing: scope }),
      'a creation by a change with a key': id =>
        store.changeSession(id, appendOf('x'), { createIfMissing: {}, idempotencyKey: 'k', ...scope }),
      'an append with a key': id => store.changeSession(id, appendOf('x'), { ...scope, idempotencyKey: 'k' }),
      'a save at a revision': id => store.saveSession(sessionOf(id, scope), { ...scope, ifRevision: 1 }),
      'an append': id => store.changeSession(id, appendOf('x'), scope),
      'an append at a revision': id => store.changeSession(id, appendOf('x'), { ...scope, ifRevision: 1 }),
      'an append of a turn that it may have': id => store.changeSession(id, appendOf('t1', { prompt: 'other' }), scope),
      'an update': id => store.changeSession(id, changeOf({ updateTurns: [{ turnId: 't1', set: {} }] }), scope),
      'a rewind': id => store.changeSession(id, changeOf({ keepTurns: 0 }), scope),
    }
    for (const [name, call] of Object.entries(calls)) {
      const [first, second] = await Promise.all(
        ['held-1', 'held-2'].map(async id => withoutId(await errorOf(call(id), name), id)),
      )
      same(second, first, `the error of ${name} for two different sessions of another workspace`)
      if (name.includes('save') || name.includes('creation')) continue
      const absent = withoutId(await errorOf(call('held-3'), name), 'held-3')
      same(first, absent, `the error of ${name} for a session of another workspace and for a missing one`)
    }
  })

  it('scope', 'refuses a scope that is not the workspace of the record', async ({ store }) => {
    for (const owner of workspaces) {
      for (const workspaceId of workspaces.filter(other => other !== owner)) {
        const save = () => store.saveSession(sessionOf('new', { workspaceId: owner }), { workspaceId })
        await refuses(save, 'INVALID_ARGUMENT', `a record of ${show(owner)} in the scope ${show(workspaceId)}`)
      }
    }
    same(await store.listSessions(), [], 'sessions after that')
  })

  it('scope', 'frees an id for all workspaces when it is deleted', async ({ store }) => {
    await store.saveSession(fullSession('s', { workspaceId: 'w' }))
    await store.deleteSession('s')
    same(await store.listSessions({ workspaceId: 'w' }), [], 'the list of its workspace when it is deleted')
    same(await store.saveSession(sessionOf('s', { workspaceId: 'W' })), 1, 'another workspace takes it')
    same(await store.loadSession('s', { workspaceId: 'w' }), null, 'in the old scope')
    same(await store.listSessions({ workspaceId: 'w' }), [], 'the list of the old scope')
    same((await store.querySessions({ workspaceId: 'w' })).sessions, [], 'the query of the old scope')
    same(await store.loadSession('s', { workspaceId: 'W' }), sessionOf('s', { workspaceId: 'W' }), 'in the new scope')
    await store.deleteSession('s')
    same(await store.saveSession(sessionOf('s')), 1, 'a session without a workspace takes it')
    same(await store.listSessions({ workspaceId: null }), ['s'], 'the list of those without')
  })

  it('scope', 'checks the scope atomically with the write', async ({ store }) => {
    // Callers of workspace a change and delete its session while callers of b wait for the id to become free:
    // once b has it, no call of a may reach it, including those in progress.
    for (const round of indexes(24)) {
      await store.saveSession(sessionOf('s', { workspaceId: 'a' }))
      const scope = { workspaceId: 'a' }
      let created = false
      const creator = async (): Promise<void> => {
        for (let tries = 0; tries < 12 && !created; tries++) {
          const saving = store.saveSession(ofB, { ifRevision: 0 })
          if (await saving.then(() => true, unless('SESSION_EXISTS', 'REVISION_CONFLICT'))) created = true
        }
      }
      await Promise.all([
        ...indexes(round % 3).map(index =>
          store.changeSession('s', appendOf(`a${index}`), scope).catch(unless('SESSION_NOT_FOUND')),
        ),
        ...indexes(4).map(() => store.deleteSession('s', scope)),
        ...indexes(4).map(creator),
        ...indexes(2).map(index =>
          store.changeSession('s', appendOf(`late${index}`), scope).catch(unless('SESSION_NOT_FOUND')),
        ),
      ])
      same(
        await store.loadSession('s'),
        created ? ofB : null,
        `the session after round ${round}, in which b has ${created ? '' : 'not '}got the id`,
      )
      await store.deleteSession('s')
    }
  })
}

async function errorOf(call: Promise<unknown>, what: string): Promise<unknown> {
  return call.then(
    value => fail(`${what}: expected a rejection, but it succeeded with ${show(value)}`),
    (error: unknown) => error,
  )
}

/** The content of an error, without the id that the caller passed and without the stack. */
function withoutId(error: unknown, id: string): [where: string, text: string][] {
  return shownBy(error).map(([where, text]) => [where, text.replaceAll(id, 'ID').replace(/\n +at [^]*/, '')])
}
